// The sections of docs/metrics.md on the queries of the dashboard and on the alerts, and that of docs/operations.md with
// the runbook of each alert.
import type { Alert } from '../monitoring/alerts/alert.ts';
import { ALERTS } from '../monitoring/alerts/table.ts';
import { ROWS } from '../monitoring/panels/table.ts';
import { textTable } from './markdown.ts';

/** The last two sections of docs/metrics.md. */
export function querySections(): string {
  const queries = ROWS.flatMap(({ title: row, panels }) =>
    panels.flatMap(({ title, queries }) => queries.map(({ expr }) => [row, title, `\`${expr}\``])),
  );
  const alerts = ALERTS.map(({ name, expr, for: time, severity }) => [
    `[${name}](operations.md#${name.toLowerCase()})`,
    `\`${expr}\``,
    time,
    severity,
  ]);
  return `## Queries
Those of the dashboard for Grafana, [deploy/grafana/dashboards/sluice.json](../deploy/grafana/dashboards/sluice.json). They show each gateway by itself; \`sum(...)\` around them adds the gateways up.

${textTable(['row', 'shows', 'PromQL'], queries)}

## Alerts
[deploy/prometheus/rules.yml](../deploy/prometheus/rules.yml) has them for \`rule_files\` of Prometheus, with unit tests in [rules.test.yml](../deploy/prometheus/rules.test.yml). What each means and what to do: [operations.md](operations.md#alerts). \`page\` wakes somebody up, \`ticket\` can wait until the morning. Change the limits to what your devices need.

${textTable(['alert', 'PromQL', 'for', 'severity'], alerts)}
`;
}

/** The runbook: `runbook_url` of each alert leads to its heading. */
export function alertsSection(): string {
  return `## Alerts
Those of [deploy/prometheus/rules.yml](../deploy/prometheus/rules.yml), and one of Grafana's own. Each has the gateway in the label \`instance\`. \`page\` wakes somebody up, \`ticket\` can wait until the morning. How to have them, and where they are sent: [deployment.md](deployment.md#the-first-alert). Commands with \`localhost\` are for the machine of the gateway; in a container \`docker compose exec sluice-1 sluice health\` and \`kubectl exec POD -- sluice health\` show the components. Their reasons, and what to do, are shown there only if the gateway has \`HTTP_TOKEN\` or \`HTTP_TOKEN_FILE\`: in a container its admin port is open beyond loopback.

${ALERTS.map(alertSection).join('\n')}
### SluicePrometheusUnreachable
Grafana cannot ask Prometheus. Severity \`page\`, after 2m.

Nothing is known of the gateways, and no other alert can be sent. Devices and readings are not affected.
- Confirm: \`docker compose ps prometheus\`, and \`curl -s localhost:9090/-/ready\` on its machine.
- Do: Start Prometheus again; its log says why it ended, often a full disk. If it runs, correct its address in \`deploy/grafana/provisioning/datasources/prometheus.yml\`.
`;
}

function alertSection({ name, expr, for: time, severity, summary, meaning, confirm, remedy }: Alert): string {
  const after = time === '0m' ? 'at once' : `after ${time}`;
  const text = summary.replace(/\{\{ \$labels\.([a-z]+) \}\}/g, '`$1`');
  return `### ${name}
${text} Severity \`${severity}\`, ${after}: \`${expr}\`.

${meaning}
- Confirm: ${confirm}
- Do: ${remedy}
`;
}
