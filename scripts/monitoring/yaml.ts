// Writes YAML for Prometheus and Grafana.
import { stringify } from 'yaml';

/** Nothing is broken over lines. Words that a reader of YAML 1.1 would take for a boolean, such as `on`, are in quotes. */
export function yamlText(value: object): string {
  return stringify(value, { version: '1.1', lineWidth: 0, aliasDuplicateObjects: false });
}
