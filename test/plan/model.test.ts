// The model of the plan: every limit binds in some fleet, and the number of machines is the smallest that keeps all of them.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readConstants } from '../../plan/constants.ts';
import { arrivalsPerSecond, residentBytes, steadyCores } from '../../plan/model/gateway.ts';
import { ImpossiblePlanError } from '../../plan/model/impossible.ts';
import type { PlanInput } from '../../plan/model/input.ts';
import { LIMITS, type LimitName, machinesFor, shareOf, useOf } from '../../plan/model/machines.ts';
import { planFor } from '../../plan/model/plan.ts';
import { batchesPerSecond, storedBytes, trafficOf } from '../../plan/model/traffic.ts';
import { loadSettings } from '../../src/config/load.ts';
import { processesFor } from '../../src/config/shares.ts';
import { planInput } from './input.ts';

const constants = readConstants();
const PARTITIONS = 12;
const GIB = 2 ** 30;

/** A fleet and machines for which this limit asks for the most machines. */
const BINDING: Readonly<Record<LimitName, PlanInput>> = {
  CPU: planInput({
    fleet: { intervalSeconds: 0.2 },
    machine: { diskBytes: 1e15, networkBytesPerSecond: 1e10 },
  }),
  memory: planInput({ fleet: { tls: true }, machine: { memoryBytes: 2 * GIB } }),
  'open files': planInput({ machine: { openFiles: 1_024 } }),
  network: planInput({
    fleet: { lineBytes: 60_000 },
    machine: { networkBytesPerSecond: 1e6, diskBytes: 1e15 },
  }),
  'reconnect storm': planInput({
    fleet: { devices: 5_000_000, intervalSeconds: 3_600, tls: true, rttSeconds: 2 },
    machine: { memoryBytes: 512 * GIB, openFiles: 1e7 },
    goals: { devicesPerMachine: 1e7 },
  }),
  disk: planInput({ machine: { diskBytes: GIB } }),
  'records in flight': planInput({
    fleet: { devices: 1_000_000, intervalSeconds: 10 },
    machine: { memoryBytes: 512 * GIB, cores: 32, openFiles: 1e7 },
    settings: { lingerSeconds: 60 },
  }),
  'devices a machine': planInput({ goals: { devicesPerMachine: 1_000 } }),
};

describe('the number of machines', () => {
  for (const limit of LIMITS)
    it(`is the smallest that keeps the limit "${limit}"`, () => {
      const input = BINDING[limit];
      const basis = { constants, input, partitions: PARTITIONS };
      const { needed, first, limits } = machinesFor(basis);
      assert.equal(first, limit);
      assert.ok(needed > 1, `${needed}`);
      for (const { limit: name, use, machines } of limits) {
        assert.ok(use <= 1, `${name}: ${use}`);
        assert.ok(machines <= needed, name);
      }
      const useOfFewer = useOf(limit, basis, shareOf(basis, needed - 1));
      assert.ok(useOfFewer > 1, `${useOfFewer}`);
    });

  it('never falls when a fleet grows, sends more often or longer lines, or uses TLS', () => {
    const fleets = fc.record({
      devices: fc.integer({ min: 1, max: 5_000_000 }),
      intervalSeconds: fc.integer({ min: 1, max: 600 }),
      lineBytes: fc.integer({ min: 100, max: 10_000 }),
      rttSeconds: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    const machinesOf = (fleet: Partial<PlanInput['fleet']>): number =>
      machinesFor({
        constants,
        input: planInput({ fleet, machine: { diskBytes: 1e15 } }),
        partitions: PARTITIONS,
      }).needed;
    fc.assert(
      fc.property(fleets, (fleet) => {
        const base = machinesOf({ ...fleet, tls: false });
        assert.ok(machinesOf({ ...fleet, devices: fleet.devices * 2, tls: false }) >= base);
        assert.ok(machinesOf({ ...fleet, intervalSeconds: fleet.intervalSeconds / 2, tls: false }) >= base);
        assert.ok(machinesOf({ ...fleet, lineBytes: fleet.lineBytes * 2, tls: false }) >= base);
        assert.ok(machinesOf({ ...fleet, tls: true }) >= base);
      }),
      { numRuns: 60 },
    );
  });

  it('has spare machines on top, which the price counts', () => {
    const { machines, processes, pricePerHour, brokers } = planFor(
      constants,
      planInput({
        goals: { spare: 3 },
        machine: { pricePerHour: 0.5, cores: 8 },
        broker: { pricePerHour: 2 },
      }),
    );
    assert.equal(machines.total, machines.needed + 3);
    assert.equal(processes, machines.total * 8);
    assert.deepEqual(pricePerHour, {
      machines: machines.total * 0.5,
      brokers: brokers.number * 2,
      total: machines.total * 0.5 + brokers.number * 2,
    });
  });

  it('is refused if no number is enough, with the option to change', () => {
    const refused = (input: PlanInput, option: RegExp): void =>
      assert.throws(
        () => planFor(constants, input),
        (error) => error instanceof ImpossiblePlanError && option.test(error.message),
      );
    refused(planInput({ machine: { memoryBytes: 300 * 2 ** 20 } }), /--memory/);
    refused(planInput({ fleet: { devices: 1e7 }, machine: { openFiles: 301 } }), /--open-files/);
    refused(planInput({ goals: { stormSeconds: 60 } }), /--storm/);
    refused(planInput({ goals: { use: 0.001 } }), /--use/);
    refused(planInput({ broker: { cores: 1 }, goals: { use: 0.02 } }), /--use/);
    refused(planInput({ fleet: { devices: 1e9, intervalSeconds: 1 } }), /--consumer/);
  });
});

describe('the traffic of a fleet', () => {
  it('has a keepalive a minute from devices that send more rarely', () => {
    const often = trafficOf(planInput({ fleet: { devices: 600, intervalSeconds: 60 } }).fleet);
    assert.deepEqual([often.messages, often.keepalives], [10, 0]);
    const rarely = trafficOf(planInput({ fleet: { devices: 600, intervalSeconds: 300 } }).fleet);
    assert.deepEqual([rarely.messages, rarely.keepalives], [2, 8]);
  });

  it('has a batch for each record if records are rare, and one each linger of a partition if they are many', () => {
    const batching = { processes: 2, partitions: 10, lingerSeconds: 0.01 };
    const batches = (messagesPerSecond: number): number =>
      batchesPerSecond({ ...batching, messagesPerSecond });
    assert.ok(Math.abs(batches(1) - 1) < 0.01);
    assert.ok(Math.abs(batches(1e9) - 2 * 10 * 100) < 1);
  });

  it('takes fewer bytes of a record if more records share a batch', () => {
    const bytes = (recordsPerBatch: number): number =>
      storedBytes(constants, { lineBytes: 200, recordsPerBatch });
    assert.ok(bytes(1) > bytes(10) && bytes(10) > bytes(1_000));
    assert.ok(bytes(1_000) > 20 && bytes(1) < 1_000, `${bytes(1_000)} ${bytes(1)}`);
  });
});

describe('the cost of a gateway', () => {
  const load = {
    messagesPerSecond: 2_000,
    lineBytes: 200,
    processes: 4,
    partitions: 10,
    lingerSeconds: 0.01,
    tls: false,
  };

  it('is its idle processes if nothing comes', () => {
    const { total } = steadyCores(constants, { ...load, messagesPerSecond: 0 });
    assert.equal(total, 4 * constants.serverIdleCores + constants.primaryIdleCores);
  });

  it('is more with TLS, with longer lines, and with more partitions for the same messages', () => {
    const base = steadyCores(constants, load).total;
    assert.ok(steadyCores(constants, { ...load, tls: true }).total > base);
    assert.ok(steadyCores(constants, { ...load, lineBytes: 20_000 }).total > base);
    assert.ok(steadyCores(constants, { ...load, partitions: 100 }).total > base);
  });

  it('is memory for each device', () => {
    const of = (devices: number): number => residentBytes(constants, { devices, processes: 4, tls: true });
    assert.ok(Math.abs(of(2_000) - of(1_000) - 1_000 * constants.tlsConnectionBytes) < 1);
  });

  it('lets in as many as its cores, its first process or its handshakes allow', () => {
    const arrivals = (cores: number, tls: boolean, rttSeconds: number) =>
      arrivalsPerSecond(constants, { cores, tls, rttSeconds, maxHandshakes: 256 });
    assert.equal(arrivals(1, true, 0).limit, 'cores');
    assert.equal(arrivals(512, false, 0.1).limit, 'first process');
    assert.deepEqual(arrivals(64, true, 1), { limit: 'handshakes at once', perSecond: 256 });
  });

  it('has as many handshakes at once as its cores can take from a far fleet', () => {
    const far = planInput({ fleet: { devices: 1_000_000, tls: true, rttSeconds: 1 } });
    const { settings, storm, machines } = planFor(constants, far);
    assert.equal(storm.taken.limit, 'cores');
    const needed = (storm.taken.perSecond / machines.needed) * far.fleet.rttSeconds;
    assert.ok(Number(settings.TCP_TLS_MAX_HANDSHAKES) >= needed, settings.TCP_TLS_MAX_HANDSHAKES);
    assert.equal(planFor(constants, planInput({})).settings.TCP_TLS_MAX_HANDSHAKES, undefined);
  });

  it('has no first process if it is one process', () => {
    const one = { ...load, messagesPerSecond: 0, processes: 1 };
    assert.equal(steadyCores(constants, one).total, constants.serverIdleCores);
    assert.equal(residentBytes(constants, { devices: 0, processes: 1, tls: false }), constants.serverBytes);
  });
});

describe('the settings of a plan', () => {
  it('are taken by a gateway, which starts all processes', () => {
    const inputs = fc.record({
      devices: fc.integer({ min: 1, max: 5_000_000 }),
      intervalSeconds: fc.integer({ min: 20, max: 86_400 }),
      lineBytes: fc.integer({ min: 34, max: 65_536 }),
      rttSeconds: fc.double({ min: 0, max: 60, noNaN: true }),
      cores: fc.integer({ min: 1, max: 256 }),
      outageSeconds: fc.integer({ min: 0, max: 30 * 86_400 }),
      lingerMs: fc.integer({ min: 1, max: 60_000 }),
    });
    fc.assert(
      fc.property(inputs, ({ cores, outageSeconds, lingerMs, ...fleet }) => {
        const input = planInput({
          fleet: { ...fleet, tls: true },
          machine: { cores, memoryBytes: 2 ** 42, diskBytes: 1e15, networkBytesPerSecond: 1e10 },
          goals: { outageSeconds, stormSeconds: 3_600 },
          kafka: { consumerPerSecond: 1e6 },
          settings: { lingerSeconds: lingerMs / 1000 },
        });
        const env = { ...planFor(constants, input).settings, KAFKA_BROKERS: '127.0.0.1:9092' };
        const loaded = loadSettings({ env });
        assert.ok(loaded.ok, JSON.stringify(loaded));
        assert.deepEqual(processesFor(loaded.settings, cores), { started: cores, limit: undefined });
      }),
      { numRuns: 60 },
    );
  });
});

describe('Kafka', () => {
  it('has partitions for twice the consumers, as many for each broker', () => {
    const { partitions, traffic } = planFor(
      constants,
      planInput({ kafka: { consumerPerSecond: 1_000 }, fleet: { peak: 3 } }),
    );
    assert.ok(partitions.number >= (2 * 3 * traffic.messages) / 1_000);
    assert.equal(partitions.number % 3, 0);
  });

  it('has brokers for the disk of the retention', () => {
    const week = planFor(constants, planInput({ broker: { diskBytes: 100e9 } })).brokers;
    const year = planFor(
      constants,
      planInput({ broker: { diskBytes: 100e9 }, kafka: { retentionSeconds: 365 * 86_400 } }),
    ).brokers;
    assert.ok(Math.abs(year.diskBytes / week.diskBytes - 365 / 7) < 0.1);
    assert.ok(year.number > week.number);
    assert.ok(year.number * 100e9 > year.diskBytes && (year.number - 1) * 100e9 * 0.8 < year.diskBytes);
  });
});
