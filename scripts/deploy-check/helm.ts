// Checks the Helm chart: lint and render every set of values in test/helm/values, and hold each object to the schemas of
// Kubernetes and of the Prometheus operator. The content of the objects is tested in test/helm.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { drainJobOf, HELM, lint, objectsOf, template } from './chart.ts';
import { buildGoTool } from './go-tool.ts';
import type { CheckResult } from './result.ts';
import { KUBERNETES_VERSIONS, makeJudge } from './schemas.ts';

const VALUES = fileURLToPath(new URL('../../../test/helm/values/', import.meta.url));

/** The paths of the sets of values, sorted. */
export function valuesFiles(): string[] {
  return readdirSync(VALUES)
    .filter((name) => name.endsWith('.yaml'))
    .sort()
    .map((name) => join(VALUES, name));
}

export async function checkHelm(): Promise<CheckResult> {
  const name = 'Helm chart';
  const helm = buildGoTool(HELM);
  if (!helm.ok) return { name, skipped: helm.reason, problems: [], lines: [] };
  const made = makeJudge();
  const problems: string[] = [];
  let objects = 0;
  const files = valuesFiles();
  for (const file of files) {
    const linted = lint(helm.path, { files: [file] });
    if (!linted.ok) problems.push(`${file}: helm lint: ${linted.message.trim()}`);
    for (const kubernetes of KUBERNETES_VERSIONS) {
      const rendered = template(helm.path, { files: [file], kubernetes });
      if (!rendered.ok) {
        problems.push(`${file}: helm template: ${rendered.message.trim()}`);
        continue;
      }
      const found = objectsOf(rendered);
      objects += found.length;
      if (!made.ok) continue;
      const job = drainJobOf(found);
      const all = job === undefined ? rendered.text : `${rendered.text}\n---\n${JSON.stringify(job)}`;
      problems.push(...made.judge.problems(all, kubernetes).map((problem) => `${file}: ${problem}`));
    }
  }
  const versions = KUBERNETES_VERSIONS.join(', ');
  const judged = made.ok
    ? `held to the schemas of Kubernetes ${versions}`
    : 'rendered, and not held to schemas';
  return {
    name,
    ...(made.ok ? {} : { skipped: made.reason }),
    problems,
    lines: [`helm ${HELM.version}, ${files.length} sets of values, ${objects} objects ${judged}`],
  };
}
