// The interface of a process that runs one broker: a Java process or a container. It never waits for readiness.

export interface BrokerNode {
  readonly id: number;
  /** host:port for clients on this machine. */
  readonly address: string;
  /** Directory of the partitions, as the tools of this kind of runtime see it. */
  readonly dataDir: string;
  /** True if it should end by SIGTERM even though nobody wants its data. */
  readonly endsInOrder: boolean;
  launch(): Promise<void>;
  signal(signal: 'SIGTERM' | 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void>;
  isRunning(): Promise<boolean>;
  /** Resolves when the process is gone; at once if none runs. */
  exited(): Promise<void>;
  logTail(): Promise<string>;
  /** Removes the data, so the next launch makes a cluster with another id. Only after its exit. */
  wipe(): Promise<void>;
  /** Removes everything that the node keeps outside its data. Only after its exit. */
  remove(): Promise<void>;
}
