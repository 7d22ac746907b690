/** Counts and times of requests, in the text format of Prometheus. */

/** Upper bounds in seconds of the histogram of times. */
const BOUNDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

interface Times {
  counts: number[];
  count: number;
  sum: number;
}

/** A value that is read when it is asked for. */
export interface Gauge {
  name: string;
  help: string;
  read(): number;
}

export class Metrics {
  private readonly requests = new Map<string, number>();
  private readonly times = new Map<string, Times>();

  constructor(private readonly gauges: readonly Gauge[]) {}

  /** Notes a request by its route, never by its address: ids would make as many lines. */
  note(method: string, route: string, status: number, seconds: number): void {
    const labels = `method="${method}",route="${route}"`;
    const key = `${labels},status="${status}"`;
    this.requests.set(key, (this.requests.get(key) ?? 0) + 1);
    let times = this.times.get(labels);
    if (!times) {
      times = { counts: BOUNDS.map(() => 0), count: 0, sum: 0 };
      this.times.set(labels, times);
    }
    times.count++;
    times.sum += seconds;
    for (const [i, bound] of BOUNDS.entries()) if (seconds <= bound) times.counts[i]++;
  }

  text(): string {
    const lines: string[] = [];
    const head = (name: string, type: string, help: string) =>
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    head("strata_requests_total", "counter", "Requests by route and status.");
    for (const [labels, count] of this.requests) lines.push(`strata_requests_total{${labels}} ${count}`);
    head("strata_request_seconds", "histogram", "Time of requests.");
    for (const [labels, { counts, count, sum }] of this.times) {
      for (const [i, bound] of BOUNDS.entries()) {
        lines.push(`strata_request_seconds_bucket{${labels},le="${bound}"} ${counts[i]}`);
      }
      lines.push(`strata_request_seconds_bucket{${labels},le="+Inf"} ${count}`);
      lines.push(`strata_request_seconds_sum{${labels}} ${sum}`, `strata_request_seconds_count{${labels}} ${count}`);
    }
    for (const { name, help, read } of this.gauges) {
      head(name, "gauge", help);
      lines.push(`${name} ${read()}`);
    }
    return `${lines.join("\n")}\n`;
  }
}
