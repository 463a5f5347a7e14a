// Holds Kubernetes objects to the schemas of several versions of Kubernetes, with kubeconform. The schemas are from packages:
// those of Kubernetes from kubernetes-validate (PyPI), those of the Prometheus operator from its Go module.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { buildGoTool, DOWNLOAD_MS, type GoTool, goModuleFolder, isBuilt, USER_CACHE } from './go-tool.ts';

const KUBECONFORM: GoTool = {
  name: 'kubeconform',
  module: 'github.com/yannh/kubeconform',
  version: 'v0.7.0',
  package: 'github.com/yannh/kubeconform/cmd/kubeconform',
};

const PACKAGE = 'kubernetes-validate==1.37.0';
const OPERATOR = {
  module: 'github.com/prometheus-operator/prometheus-operator',
  version: 'v0.85.0',
} as const;
const CUSTOM = ['servicemonitors', 'podmonitors', 'prometheusrules'] as const;

/** From the oldest one that the chart takes to the newest one that the package has. */
export const KUBERNETES_VERSIONS = ['1.27.0', '1.30.0', '1.34.0', '1.37.0'] as const;

const CACHE = join(USER_CACHE, 'kubernetes-schemas');
const BUILT_IN = join(CACHE, PACKAGE.replace('==', '-'));
const OF_OPERATOR = join(CACHE, `prometheus-operator-${OPERATOR.version}`);

export interface Judge {
  /** Problems as sentences of kubeconform; empty if all objects are right. @param yaml documents */
  problems(yaml: string, kubernetes: string): string[];
}

export type MadeJudge =
  | { readonly ok: true; readonly judge: Judge }
  | { readonly ok: false; readonly reason: string };

/** Whether makeJudge() has nothing left to download and build. */
export function isJudgeReady(): boolean {
  return isBuilt(KUBECONFORM) && existsSync(BUILT_IN) && existsSync(OF_OPERATOR);
}

export function makeJudge(): MadeJudge {
  const tool = buildGoTool(KUBECONFORM);
  if (!tool.ok) return tool;
  const reason = fetchBuiltIn() ?? fetchOfOperator();
  if (reason !== undefined) return { ok: false, reason };
  return { ok: true, judge: { problems: (yaml, kubernetes) => judged(tool.path, yaml, kubernetes) } };
}

function judged(kubeconform: string, yaml: string, kubernetes: string): string[] {
  const locations = [
    `${BUILT_IN}/${kubernetes}/{{.ResourceKind}}{{.KindSuffix}}.json`,
    `${OF_OPERATOR}/{{.ResourceKind}}.json`,
  ];
  const { stdout, stderr, error } = spawnSync(
    kubeconform,
    [
      '-strict',
      '-output=json',
      `-kubernetes-version=${kubernetes}`,
      ...locations.flatMap((location) => ['-schema-location', location]),
    ],
    { input: yaml, encoding: 'utf8', maxBuffer: 2 ** 26 },
  );
  if (error !== undefined) throw error;
  if (stdout === '') return [`kubeconform failed: ${stderr.trim()}`];
  const { resources } = JSON.parse(stdout) as {
    resources?: readonly { kind: string; name: string; status: string; msg: string }[];
  };
  return (resources ?? [])
    .filter(({ status }) => status !== 'statusValid')
    .map(({ kind, name, msg }) => `${kind} ${name}, Kubernetes ${kubernetes}: ${msg}`);
}

/** @returns why they cannot be had */
function fetchBuiltIn(): string | undefined {
  if (existsSync(BUILT_IN)) return undefined;
  return into(BUILT_IN, (folder) => {
    const installed = join(folder, 'package');
    const args = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--target', installed, PACKAGE];
    const { status, stderr } = spawnSync('python3', args, { encoding: 'utf8', timeout: DOWNLOAD_MS });
    if (status !== 0)
      return `pip could not install ${PACKAGE}: ${stderr?.trim().split('\n').at(-1) ?? 'there is no Python'}`;
    for (const version of KUBERNETES_VERSIONS) {
      const from = join(installed, `kubernetes_validate/kubernetes-json-schema/v${version}-local-strict`);
      mkdirSync(join(folder, version));
      // The package resolves its references itself. For kubeconform they have to be relative to the file, which must not
      // say that it lies elsewhere.
      for (const name of readdirSync(from)) {
        const text = readFileSync(join(from, name), 'utf8');
        const { $id: _, ...schema } = JSON.parse(
          text.replaceAll('"/api/_definitions.json#', '"_definitions.json#'),
        ) as Record<string, unknown>;
        writeFileSync(join(folder, version, name), JSON.stringify(schema));
      }
    }
    rmSync(installed, { recursive: true });
    return undefined;
  });
}

/** The schemas in the definitions of the operator's kinds. @returns why they cannot be had */
function fetchOfOperator(): string | undefined {
  if (existsSync(OF_OPERATOR)) return undefined;
  const source = goModuleFolder(OPERATOR.module, OPERATOR.version);
  if (source === undefined) return `the Go module proxy does not have ${OPERATOR.module} ${OPERATOR.version}`;
  return into(OF_OPERATOR, (folder) => {
    for (const plural of CUSTOM) {
      const file = join(source, `example/prometheus-operator-crd/monitoring.coreos.com_${plural}.yaml`);
      const { spec } = parse(readFileSync(file, 'utf8')) as {
        spec: { versions: { schema: { openAPIV3Schema: unknown } }[] };
      };
      const schema = strict(spec.versions[0]?.schema.openAPIV3Schema);
      writeFileSync(join(folder, `${plural.slice(0, -1)}.json`), JSON.stringify(schema));
    }
    return undefined;
  });
}

/** Refuses fields that the schema does not name, as the API does with `--validate=strict`. */
function strict(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strict);
  if (typeof schema !== 'object' || schema === null) return schema;
  const copy = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, strict(value)]));
  // `metadata` is said to be an object and nothing more; a field called `properties` holds no schema of an object.
  if (copy.type === 'object' && typeof copy.properties === 'object' && !('additionalProperties' in copy))
    copy.additionalProperties = false;
  if (copy['x-kubernetes-int-or-string'] === true) delete copy.type;
  return copy;
}

/** Fills a folder beside the wanted one and renames it, so that a folder with this name is whole. */
function into(path: string, fill: (folder: string) => string | undefined): string | undefined {
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(`${path}.`);
  try {
    const reason = fill(folder);
    if (reason === undefined) renameSync(folder, path);
    return reason;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
