// Log lines about files that may change while the gateway runs: certificates, tokens, passwords.
import type { LineTable } from '../line.ts';

export const FILE_LINES = {
  file_in_use: {
    level: 'info',
    text: '{setting}: the new content is in use',
    fields: { setting: 'text' },
    meaning: 'The file of this setting has changed, and the gateway uses its new content.',
  },
  file_valid_again: {
    level: 'info',
    text: '{setting}: the file is valid again',
    fields: { setting: 'text' },
    meaning: 'The file of this setting could not be used for a while. Its content is the one that is in use.',
  },
  file_unusable: {
    level: 'error',
    text: '{setting}: the file cannot be used, and nothing changes until it is valid: {reason}',
    fields: { setting: 'text', reason: 'text' },
    meaning:
      'The file of this setting has changed, and its new content is not valid. The former content stays in use.',
    remedy: 'Correct the file. It is read again within seconds, or at once after `kill -HUP PID`.',
  },
  file_exposed: {
    level: 'warn',
    text: '{warning}',
    fields: { warning: 'words' },
    meaning: 'Every user of the machine can read or change a file with secrets.',
    remedy: '`chmod 600 FILE`, or `defaultMode: 0400` for a Kubernetes secret.',
  },
  certificate_expired: {
    level: 'error',
    text: '{setting}: a certificate has expired, so {victims} cannot connect. Renew it',
    fields: { setting: 'text', victims: 'words', days: 'count', expires: 'text' },
    meaning: 'A certificate of the TLS port, or of the connections to Kafka, has expired.',
    look: '`openssl x509 -in FILE -noout -dates -subject`',
    remedy: 'Replace the file. The new one is read without a restart.',
  },
  certificate_expires_soon: {
    level: 'warn',
    text: '{setting}: a certificate expires soon, in {days} days. Renew it; the new file is read without a restart',
    fields: { setting: 'text', days: 'count', expires: 'text' },
    meaning:
      'A certificate of the TLS port, or of the connections to Kafka, expires in `days` days. It is checked at the start, when files change, and once a day.',
    look: '`openssl x509 -in FILE -noout -dates -subject`',
    remedy: 'Replace the file before that day.',
  },
} as const satisfies LineTable;
