// What runs one broker, whether a Java process or a container. It knows nothing about readiness.

export interface BrokerNode {
  readonly id: number;
  /** host:port for clients on this machine. */
  readonly address: string;
  /** Where the partitions' directories lie, as the tools of this kind of runtime see it. */
  readonly dataDir: string;
  /** True if it should not be killed at the end, even if nobody wants its data. */
  readonly endsInOrder: boolean;
  launch(): Promise<void>;
  signal(signal: 'SIGTERM' | 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void>;
  isRunning(): Promise<boolean>;
  /** Resolves when the process is gone, at once where none runs. */
  exited(): Promise<void>;
  logTail(): Promise<string>;
  /** Removes the data. The next launch makes a cluster with another id. Only for one that has exited. */
  wipe(): Promise<void>;
  /** Removes what the node keeps outside its data. Only for one that has exited. */
  remove(): Promise<void>;
}
