// Reads /metrics over HTTP, as Prometheus does.

/** The samples by their series, such as `sluice_records{state="open"}`. */
export async function scrape(httpPort: number | undefined): Promise<Map<string, number>> {
  const response = await fetch(`http://127.0.0.1:${httpPort}/metrics`);
  if (!response.ok) throw new Error(`/metrics: ${response.status}`);
  const lines = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const end = line.lastIndexOf(' ');
      return [line.slice(0, end), Number(line.slice(end + 1))];
    }),
  );
}

/** The series of a metric by the value of their only label. */
export function byLabel(samples: ReadonlyMap<string, number>, metric: string): Record<string, number> {
  const found: Record<string, number> = {};
  for (const [series, value] of samples) {
    const label = /^([a-z0-9_]+)\{[a-z]+="([^"]*)"\}$/.exec(series);
    if (label?.[1] === metric) found[label[2] ?? ''] = value;
  }
  return found;
}
