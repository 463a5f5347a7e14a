import assert from 'node:assert/strict';
import { mock, type TestContext, test } from 'node:test';
import { seededRandom } from '../../load/random.ts';
import { RESUME_WAIT_MS, ResumeTable } from '../../src/resume/resume-table.ts';

/** A table whose answers are kept as text, such as `0/7: 41`. Time passes only when the test says so. */
function tableFor(t: TestContext, maxDevices = 100) {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const answers: string[] = [];
  const table = new ResumeTable({
    maxDevices,
    answer: ({ process, number }, seq) => void answers.push(`${process}/${number}: ${seq ?? 'null'}`),
  });
  const place = (name: string) => {
    const [process = 0, number = 0] = name.split('/').map(Number);
    return { process, number };
  };
  return {
    table,
    /** The answers since the last call. */
    answers: () => answers.splice(0),
    begins: (name: string, deviceId = 'a') => table.identified(place(name), { deviceId, resumes: false }),
    resumes: (name: string, deviceId = 'a') => table.identified(place(name), { deviceId, resumes: true }),
    settles: (name: string, seq?: number) => table.settled(place(name), seq),
    closes: (name: string, deviceId = 'a') => table.closed(place(name), deviceId),
    passes: (ms: number) => mock.timers.tick(ms),
  };
}

test('a device is told what its former connection has stored, whether that settled before, at or after its end', (t) => {
  const { begins, resumes, settles, closes, answers } = tableFor(t);
  resumes('0/1');
  assert.deepEqual(answers(), ['0/1: null']);
  settles('0/1', 41);
  closes('0/1');
  resumes('0/2');
  assert.deepEqual(answers(), ['0/2: 41']);
  // In another process, and before the end of the former one has been reported.
  resumes('1/2');
  assert.deepEqual(answers(), []);
  closes('0/2');
  settles('0/2', 50);
  assert.deepEqual(answers(), ['1/2: 50']);
  closes('1/2');
  settles('1/2');
  // It sent no seq of its own.
  resumes('0/3');
  assert.deepEqual(answers(), ['0/3: 50']);
  begins('0/9', 'b');
  settles('0/9', 0);
  resumes('0/10', 'b');
  assert.deepEqual(answers(), ['0/10: 0']);
});

test('a connection without resume begins a new count: nothing of the old one is known behind it', (t) => {
  const { begins, resumes, settles, closes, answers } = tableFor(t);
  begins('0/1');
  settles('0/1', 4711);
  closes('0/1');
  begins('0/2');
  settles('0/2');
  closes('0/2');
  resumes('0/3');
  assert.deepEqual(answers(), ['0/3: null']);
  settles('0/3', 5);
  // Still open, and taken over.
  begins('0/4');
  settles('0/4', 2);
  resumes('0/5');
  assert.deepEqual(answers(), ['0/5: 2']);
});

test('after 5 s the answer is null, and the late end of the former connection changes nothing', (t) => {
  const { table, begins, resumes, settles, closes, answers, passes } = tableFor(t);
  begins('0/1');
  closes('0/1');
  resumes('0/2');
  passes(RESUME_WAIT_MS - 1);
  assert.deepEqual(answers(), []);
  passes(1);
  assert.deepEqual(answers(), ['0/2: null']);
  settles('0/1', 1000);
  assert.deepEqual(answers(), []);
  settles('0/2', 3);
  closes('0/2');
  resumes('0/3');
  assert.deepEqual(answers(), ['0/3: 3']);
  assert.deepEqual(table.figures.answers, { known: 1, unknown: 0, unsettled: 1 });
});

test('a device that is cut while it waits waits on for the connection that has the readings', (t) => {
  const { begins, resumes, settles, closes, answers, passes } = tableFor(t);
  begins('0/1');
  closes('0/1');
  resumes('0/2');
  passes(3000);
  // Both orders: the end of the waiting connection is known before or after its successor comes.
  settles('0/2');
  closes('0/2');
  passes(3000);
  resumes('1/3');
  resumes('1/4');
  settles('1/3');
  closes('1/3');
  assert.deepEqual(answers(), []);
  settles('0/1', 77);
  assert.deepEqual(answers(), ['1/4: 77']);
});

test('a device that waits for a connection before its former one is told once, and null after 5 s', (t) => {
  const { table, begins, resumes, settles, closes, answers, passes } = tableFor(t);
  begins('0/1');
  resumes('0/2');
  resumes('0/3');
  settles('0/2');
  closes('0/2');
  passes(RESUME_WAIT_MS);
  settles('0/1', 8);
  assert.deepEqual(answers(), ['0/3: null']);
  assert.equal(table.unsettled, 1);
});

test('a process that crashes while its connection waits leaves the other connection alone', (t) => {
  const { table, begins, resumes, settles, answers, passes } = tableFor(t);
  begins('0/1');
  resumes('1/2');
  table.lost(1);
  // The next process has another connection of this number.
  passes(RESUME_WAIT_MS);
  assert.deepEqual(answers(), []);
  settles('0/1', 8);
  resumes('0/3');
  assert.deepEqual(answers(), ['0/3: null']);
});

test('a connection that nobody will ask about is not followed any more', (t) => {
  const { table, begins, resumes, settles, closes } = tableFor(t);
  for (let n = 0; n < 100; n++) begins(`0/${n}`);
  assert.equal(table.unsettled, 1);
  for (let n = 100; n < 200; n++) {
    resumes(`0/${n}`);
    settles(`0/${n}`);
    closes(`0/${n}`);
  }
  // The one with the readings, and the last one that waits for it.
  assert.equal(table.unsettled, 2);
});

test('a device whose waiting connection ended is known once the connection before has settled', (t) => {
  const { table, begins, resumes, settles, closes, answers } = tableFor(t);
  begins('0/1');
  closes('0/1');
  resumes('0/2');
  settles('0/2');
  closes('0/2');
  assert.deepEqual([...table.entries()], []);
  settles('0/1', 9);
  assert.deepEqual([...table.entries()], [['a', 9]]);
  resumes('0/3');
  assert.deepEqual(answers(), ['0/3: 9']);
});

test('a crash of a process leaves what its connections had settled, and makes the rest unknown', (t) => {
  const { table, begins, resumes, settles, closes, answers } = tableFor(t);
  for (const [n, device] of ['settled', 'open', 'ended', 'waited'].entries()) begins(`1/${n}`, device);
  begins('0/1', 'other');
  settles('1/0', 10);
  closes('1/0', 'settled');
  closes('1/2', 'ended');
  resumes('0/6', 'waited');
  table.lost(1);
  assert.deepEqual(answers(), ['0/6: null']);
  // The process that starts again counts from 0, and its numbers are those of other connections.
  for (const number of [0, 1, 2, 3]) settles(`1/${number}`, 999);
  resumes('0/10', 'settled');
  resumes('0/11', 'open');
  resumes('0/12', 'ended');
  resumes('0/13', 'other');
  assert.deepEqual(answers(), ['0/10: 10', '0/11: null', '0/12: null']);
  settles('0/1', 2);
  assert.deepEqual(answers(), ['0/13: 2']);
});

test('a crash that takes the connection that resumed leaves nothing known, even what it was told', (t) => {
  const { table, begins, resumes, settles, closes, answers } = tableFor(t);
  begins('0/1');
  settles('0/1', 10);
  closes('0/1');
  resumes('1/1');
  table.lost(1);
  closes('1/1');
  resumes('0/2');
  assert.deepEqual(answers(), ['1/1: 10', '0/2: null']);
});

test('ended devices are remembered up to a limit, those that ended longest ago are forgotten, open ones never', (t) => {
  const { table, begins, resumes, settles, closes, answers } = tableFor(t, 3);
  begins('0/100', 'open');
  settles('0/100', 100);
  const end = (n: number) => {
    begins(`0/${n}`, `d${n}`);
    settles(`0/${n}`, n);
    closes(`0/${n}`, `d${n}`);
  };
  for (const n of [1, 2, 3]) end(n);
  assert.equal(table.evicted, 0);
  end(1);
  end(4);
  assert.equal(table.evicted, 1);
  assert.deepEqual(
    [...table.entries()],
    [
      ['d3', 3],
      ['d1', 1],
      ['d4', 4],
      ['open', 100],
    ],
  );
  resumes('0/5', 'd2');
  resumes('0/6', 'd3');
  resumes('0/7', 'open');
  assert.deepEqual(answers(), ['0/5: null', '0/6: 3', '0/7: 100']);
});

test('devices that never settle do not make the table grow', (t) => {
  const { table, begins, closes, settles, resumes, answers } = tableFor(t, 10);
  for (let n = 0; n < 1000; n++) {
    begins(`0/${n}`, `d${n}`);
    closes(`0/${n}`, `d${n}`);
  }
  assert.deepEqual([table.devices, table.evicted], [10, 990]);
  for (let n = 0; n < 1000; n++) settles(`0/${n}`, n);
  assert.equal(table.devices, 10);
  resumes('0/1000', 'd989');
  resumes('0/1001', 'd990');
  assert.deepEqual(answers(), ['0/1000: null', '0/1001: 990']);
});

test('a device that sends no seq takes no place once its connection has ended', (t) => {
  const { table, begins, settles, closes } = tableFor(t);
  begins('0/1');
  settles('0/1');
  closes('0/1');
  begins('0/2', 'b');
  closes('0/2', 'b');
  settles('0/2');
  assert.equal(table.devices, 0);
});

interface Connection {
  readonly number: number;
  readonly epoch: number;
  readonly accepted: number[];
  waits: boolean;
  settled: boolean;
  closed: boolean;
}

/** A device that obeys the protocol, and its connections, whose ends and settlements come in any order. */
class World {
  readonly #random: () => number;
  readonly #table: ResumeTable;
  readonly #isPatient: boolean;
  readonly #connections: Connection[] = [];
  /** How often the device has begun again at 0. */
  #epoch = 0;
  #durable = new Set<number>();
  #written = new Set<number>();
  #undecided: number[] = [];
  #nextSeq = 0;
  #current: Connection | undefined;
  known = 0;

  /** @param isPatient it always resumes, and no time passes */
  constructor(seed: number, isPatient: boolean) {
    this.#isPatient = isPatient;
    this.#random = seededRandom(seed);
    this.#table = new ResumeTable({
      maxDevices: 10,
      answer: ({ number }, seq) => this.#answered(number, seq),
    });
  }

  step(): void {
    const dice = this.#random();
    if (dice < 0.25 && (this.#current === undefined || this.#random() < 0.2)) this.#connect();
    else if (dice < 0.5) this.#send();
    else if (dice < 0.65) this.#cut();
    else if (dice < 0.95) this.#report();
    else if (!this.#isPatient) mock.timers.tick(Math.floor(this.#random() * 2 * RESUME_WAIT_MS));
  }

  #connect(): void {
    const number = this.#connections.length;
    const resumes = this.#isPatient || this.#random() < 0.8;
    if (!resumes && this.#random() < 0.5) this.#restart();
    const epoch = this.#epoch;
    const current = { number, epoch, accepted: [], waits: resumes, settled: false, closed: false };
    this.#current = current;
    this.#connections.push(current);
    this.#table.identified({ process: 0, number }, { deviceId: 'a', resumes });
  }

  #restart(): void {
    this.#epoch++;
    this.#undecided = [];
    this.#nextSeq = 0;
    this.#durable = new Set();
    this.#written = new Set();
  }

  #answered(number: number, seq: number | undefined): void {
    const current = this.#current;
    if (current?.number !== number) return;
    current.waits = false;
    if (seq === undefined) {
      assert.ok(!this.#isPatient || this.#written.size === 0, 'told null');
      return;
    }
    this.known++;
    for (const one of this.#undecided)
      assert.ok(one > seq || this.#durable.has(one), `told ${seq}, and ${one} is not stored`);
    this.#undecided = this.#undecided.filter((one) => one > seq);
  }

  /** The device sends its undecided messages and new ones. The gateway takes a part of it before the connection is cut. */
  #send(): void {
    const current = this.#current;
    if (current === undefined || current.waits || current.accepted.length > 0) return;
    for (let n = Math.floor(this.#random() * 4); n > 0; n--) this.#undecided.push(this.#nextSeq++);
    const taken = this.#undecided.slice(0, Math.floor(this.#random() * (this.#undecided.length + 1)));
    for (const seq of taken) {
      assert.ok(!this.#isPatient || !this.#written.has(seq), `${seq} was written twice`);
      this.#written.add(seq);
    }
    current.accepted.push(...taken);
  }

  #cut(): void {
    this.#current = undefined;
  }

  /** Some ended connection settles or is closed. */
  #report(): void {
    const ended = this.#connections.filter(
      ({ number, settled, closed }) => number !== this.#current?.number && !(settled && closed),
    );
    // Most of them in their order.
    const one = ended[this.#random() < 0.7 ? 0 : Math.floor(this.#random() * ended.length)];
    if (one === undefined) return;
    const place = { process: 0, number: one.number };
    if (!one.settled && this.#random() < 0.5) {
      one.settled = true;
      if (one.epoch === this.#epoch) for (const seq of one.accepted) this.#durable.add(seq);
      this.#table.settled(place, one.accepted.at(-1));
    } else if (!one.closed) {
      one.closed = true;
      this.#table.closed(place, 'a');
    }
  }
}

test('in any order of events no device is told more than what is stored, and a device that always resumes writes no message twice', (t) => {
  t.after(() => mock.timers.reset());
  let known = 0;
  for (let seed = 0; seed < 300; seed++) {
    mock.timers.reset();
    mock.timers.enable({ apis: ['setTimeout'] });
    const world = new World(seed, seed % 2 === 0);
    for (let step = 0; step < 200; step++) world.step();
    known += world.known;
  }
  assert.ok(known > 1000, `${known} answers with a seq`);
});
