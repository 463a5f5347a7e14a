// Helm and the judge of Kubernetes objects for the tests, and ways into the objects that Helm renders.
import { spawnSync } from 'node:child_process';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { HELM, type KubernetesObject } from '../../scripts/deploy-check/chart.ts';
import { type BuiltTool, buildGoTool, goToolPath, isBuilt } from '../../scripts/deploy-check/go-tool.ts';
import { isJudgeReady, type Judge, type MadeJudge, makeJudge } from '../../scripts/deploy-check/schemas.ts';
import { skipLoudly } from '../support/missing-tool.ts';

const HINT = 'npm run deploy-check builds it, which takes minutes the first time';

/** One try for all tests of a file: without the network it takes a minute. */
let built: BuiltTool | undefined;
let made: MadeJudge | undefined;

/**
 * Helm's path. Undefined, and the test is skipped loudly, if it is not built: the build takes minutes. CI builds it if it has
 * Go. Go is no package of Debian in a version that is new enough, so without it CI skips too.
 */
export function helmFor(t: TestContext): string | undefined {
  if (isBuilt(HELM)) return goToolPath(HELM);
  if (!mustBuild()) return skip(t, `Helm is not built (${HINT})`);
  built ??= buildGoTool(HELM);
  return built.ok ? built.path : skip(t, built.reason);
}

/** As helmFor(), with kubeconform and the schemas. */
export function judgeFor(t: TestContext): Judge | undefined {
  if (!isJudgeReady() && !mustBuild()) return skip(t, `the schemas of Kubernetes are not here (${HINT})`);
  made ??= makeJudge();
  return made.ok ? made.judge : skip(t, made.reason);
}

function mustBuild(): boolean {
  return process.env.SLUICE_REQUIRE_TOOLS === '1' && spawnSync('go', ['version']).status === 0;
}

function skip(t: TestContext, why: string): undefined {
  skipLoudly(t, why);
  return undefined;
}

/** A set of values of test/helm/values. */
export function values(name: string): string {
  return fileURLToPath(new URL(`../../../test/helm/values/${name}.yaml`, import.meta.url));
}

/** @throws if there is not exactly one */
export function only(objects: readonly KubernetesObject[], kind: string, name?: string): KubernetesObject {
  const found = objects.filter(
    (one) => one.kind === kind && (name === undefined || one.metadata.name === name),
  );
  if (found.length !== 1) throw new Error(`${found.length} objects are ${kind} ${name ?? ''}`);
  return found[0] as KubernetesObject;
}

/** The value at a path such as `spec.ports.0.name`. Undefined if there is none. */
export function at(object: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], object);
}

export const POD = 'spec.template.spec';
export const GATEWAY = `${POD}.containers.0`;
