// The questions of a plan for tests: 100,000 plain devices, and whatever a test changes.
import { gatewaySettings } from '../../plan/gateway-settings.ts';
import type { PlanInput } from '../../plan/model/input.ts';

type Changes = { readonly [Part in keyof PlanInput]?: Partial<PlanInput[Part]> };

export function planInput({ fleet, machine, broker, kafka, goals, settings }: Changes): PlanInput {
  return {
    fleet: {
      devices: 100_000,
      intervalSeconds: 60,
      lineBytes: 200,
      rttSeconds: 0.05,
      tls: false,
      peak: 2,
      ...fleet,
    },
    machine: {
      cores: 4,
      memoryBytes: 8 * 2 ** 30,
      networkBytesPerSecond: 125e6,
      openFiles: 131_072,
      diskBytes: 100e9,
      pricePerHour: null,
      ...machine,
    },
    broker: { cores: 4, networkBytesPerSecond: 125e6, diskBytes: 1e12, pricePerHour: null, ...broker },
    kafka: {
      rttSeconds: 0.001,
      replicas: 3,
      retentionSeconds: 7 * 86_400,
      consumerPerSecond: 10_000,
      readers: 2,
      ...kafka,
    },
    goals: {
      use: 0.6,
      spare: 1,
      devicesPerMachine: 1_000_000,
      outageSeconds: 4 * 3_600,
      stormSeconds: 300,
      ...goals,
    },
    settings: { ...gatewaySettings(machine?.cores ?? 4), ...settings },
  };
}
