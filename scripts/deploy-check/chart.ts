// Runs the real Helm on the chart.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import type { GoTool } from './go-tool.ts';

export const CHART = fileURLToPath(new URL('../../../deploy/helm/sluice', import.meta.url));

export const HELM: GoTool = {
  name: 'helm',
  module: 'helm.sh/helm/v3',
  version: 'v3.22.0',
  package: 'helm.sh/helm/v3/cmd/helm',
};

const RELEASE = { name: 'edge', namespace: 'devices' } as const;

/** A Kubernetes object, as far as it is known to all. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name?: string;
    readonly namespace?: string;
    readonly labels?: Record<string, string>;
  };
}

export interface HelmOptions {
  /** Paths of values files, the last one wins. */
  readonly files?: readonly string[];
  /** As after `--set`. */
  readonly set?: readonly string[];
  readonly kubernetes?: string;
  readonly chart?: string;
  /** The name of the release. */
  readonly release?: string;
}

export type Rendered =
  | { readonly ok: true; readonly text: string }
  /** The text of Helm on standard error. */
  | { readonly ok: false; readonly message: string };

const valuesArguments = ({ files = [], set = [] }: HelmOptions) => [
  ...files.flatMap((file) => ['--values', file]),
  ...set.flatMap((one) => ['--set', one]),
];

/** A Helm of the module proxy believes that Kubernetes is 1.20, so the version is always given. */
const KUBERNETES = '1.34.0';

export function lint(helm: string, options: HelmOptions): Rendered {
  const { kubernetes = KUBERNETES, chart = CHART } = options;
  return run(helm, ['lint', '--strict', chart, '--kube-version', kubernetes, ...valuesArguments(options)]);
}

export function template(helm: string, options: HelmOptions): Rendered {
  const { kubernetes = KUBERNETES, chart = CHART, release = RELEASE.name } = options;
  const where = ['--namespace', RELEASE.namespace, '--kube-version', kubernetes];
  return run(helm, ['template', release, chart, ...where, ...valuesArguments(options)]);
}

/** @throws an error with Helm's message if the values are refused, or with that of the parser */
export function objectsOf(rendered: Rendered): KubernetesObject[] {
  if (!rendered.ok) throw new Error(rendered.message);
  // Kubernetes reads YAML 1.1.
  return parseAllDocuments(rendered.text, { version: '1.1' }).flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw error;
    const object = document.toJS() as KubernetesObject | null;
    return object === null ? [] : [object];
  });
}

/** The Job that the script of orphaned spools makes, as it would send it. Undefined if there is none. */
export function drainJobOf(objects: readonly KubernetesObject[]): KubernetesObject | undefined {
  const map = objects.find(
    ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name?.endsWith('-orphans'),
  );
  const text = (map as { data?: Record<string, string> } | undefined)?.data?.['job.json'];
  return text === undefined ? undefined : (JSON.parse(text) as KubernetesObject);
}

function run(helm: string, args: readonly string[]): Rendered {
  const { status, stdout, stderr, error } = spawnSync(helm, args, { encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (error !== undefined) throw error;
  return status === 0 ? { ok: true, text: stdout } : { ok: false, message: stderr + stdout };
}
