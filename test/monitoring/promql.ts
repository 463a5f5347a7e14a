// Parses PromQL with the grammar of Prometheus's own editor.
import { parser } from '@prometheus-io/lezer-promql';

export interface Parsed {
  readonly hasErrors: boolean;
  readonly metrics: readonly string[];
  readonly labels: readonly string[];
}

export function parsePromql(expr: string): Parsed {
  let hasErrors = false;
  const metrics: string[] = [];
  const labels: string[] = [];
  parser.parse(expr).iterate({
    enter: ({ type, name, from, to, node }) => {
      const text = expr.slice(from, to);
      if (type.isError) hasErrors = true;
      else if (name === 'Identifier' && node.parent?.name === 'VectorSelector') metrics.push(text);
      else if (name === 'LabelName') labels.push(text);
    },
  });
  return { hasErrors, metrics, labels };
}
