// Tokens for AWS MSK: a URL that AWS credentials have signed. The package that signs is loaded with the first token, and
// finds the credentials itself: environment, profile, or the role of the machine.
import { createRequire } from 'node:module';
import { MSK_SIGNER, missingPackage } from '../../config/login-checks.ts';
import { ClusterError } from '../client/cluster-error.ts';
import type { Token } from './token-source.ts';

/** The part of aws-msk-iam-sasl-signer-js that is used here. */
interface Signer {
  generateAuthToken(options: { region: string }): Promise<{
    readonly token: string;
    /** Milliseconds since 1970. */
    readonly expiryTime: number;
  }>;
}

const require = createRequire(import.meta.url);

/** Rejects with ClusterError TOKEN. */
export async function mskIamToken(region: string): Promise<Token> {
  try {
    const missing = missingPackage(MSK_SIGNER);
    if (missing !== undefined) throw new Error(`the login ${missing}`);
    const signer = require('aws-msk-iam-sasl-signer-js') as Signer;
    const { token: value, expiryTime } = await signer.generateAuthToken({ region });
    // Made by the same clock a moment ago.
    return { value, lifetimeMs: expiryTime - Date.now() };
  } catch (error) {
    const { message } = error as Error;
    throw new ClusterError(
      'TOKEN',
      `no token for the login to Kafka (KAFKA_SASL_MECHANISM=aws-msk-iam, region ${region}): ${message}`,
      { cause: error },
    );
  }
}
