// Rules on a device that resumes: the answer about its former connection, and messages that are sent again.
import type { Rule } from '../rule.ts';

const section = 'resume';

export const RESUME_RULES: readonly Rule[] = [
  {
    id: 'resume.form',
    section,
    says: '`resume` is true or false, and true needs a `device_id`.',
    check: async (gateway) => {
      const refused = ['null', '1', '"true"', '[true]'].map((value) =>
        gateway.identifyText(`"resume":${value},"device_id":${JSON.stringify(gateway.newDeviceId())}`),
      );
      const ofNobody =
        gateway.options.deviceId === undefined && !gateway.options.identify.includes('device_id');
      await gateway.refusesIdentify([...refused, ...(ofNobody ? [gateway.identify({ resume: true })] : [])]);
      const device = await gateway.identified({ resume: false });
      await device.alive();
    },
  },
  {
    id: 'resume.nothing_known',
    section,
    says: 'If nothing is known of the `device_id`, `stored_seq` is null.',
    check: async (gateway) => {
      const device = await gateway.connect();
      device.send(`${gateway.identify({ device_id: gateway.newDeviceId(), resume: true })}\n`);
      const { stored_seq: storedSeq } = (await device.expect('identified')).fields;
      if (storedSeq !== null) throw device.failed('`identified` with "stored_seq":null');
      await device.send(`${gateway.metrics(7)}\n`).stored(7);
    },
  },
  {
    id: 'resume.without',
    section,
    says: 'Without `resume` there is no `stored_seq`, and `seq` may begin anywhere.',
    check: async (gateway) => {
      const id = gateway.newDeviceId();
      for (const seq of [5, 3]) {
        const device = await gateway.connect();
        const reply = await device.send(`${gateway.identify({ device_id: id })}\n`).expect('identified');
        if ('stored_seq' in reply.fields) throw device.failed('`identified` without "stored_seq"');
        await device.send(`${gateway.metrics(seq)}\n`).stored(seq);
        await device.end().closed();
      }
    },
  },
  {
    id: 'resume.stored_seq',
    section,
    says: '`stored_seq` is the highest `seq` that is stored, once all of the former connection has settled.',
    check: async (gateway) => {
      const id = gateway.newDeviceId();
      const former = await gateway.identified({ device_id: id, resume: true });
      former.send([1, 2, 9].map((seq) => `${gateway.metrics(seq)}\n`).join(''));
      await former.stored(9);
      await former.end().closed();
      const device = await gateway.connect();
      await device.send(`${gateway.identify({ device_id: id, resume: true })}\n`);
      const { stored_seq: storedSeq } = (await device.expect('identified')).fields;
      if (storedSeq !== 9) throw device.failed('`identified` with "stored_seq":9');
    },
  },
  {
    id: 'resume.of_an_open_connection',
    section,
    says: 'The former connection may be open still: it is closed with `replaced`.',
    check: async (gateway) => {
      const id = gateway.newDeviceId();
      const former = await gateway.identified({ device_id: id, resume: true });
      await former.send(`${gateway.metrics(4)}\n`).stored(4);
      const device = await gateway.connect();
      await device.send(`${gateway.identify({ device_id: id, resume: true })}\n`);
      const { stored_seq: storedSeq } = (await device.expect('identified')).fields;
      if (storedSeq !== 4) throw device.failed('`identified` with "stored_seq":4');
      await former.expect('replaced');
      await former.closed();
    },
  },
  {
    id: 'resume.sent_again',
    section,
    says: 'A message up to `stored_seq` is answered `stored` and not refused; `seq` goes on above it.',
    check: async (gateway) => {
      const id = gateway.newDeviceId();
      const former = await gateway.identified({ device_id: id, resume: true });
      await former.send(`${gateway.metrics(1)}\n${gateway.metrics(5)}\n`).stored(5);
      await former.end().closed();
      const device = await gateway.identified({ device_id: id, resume: true });
      // In any order: a gateway that does not know them would refuse the second one.
      await device.send(`${gateway.metrics(5)}\n${gateway.metrics(1)}\n`).stored(5);
      await device.alive();
      await device.send(`${gateway.metrics(6)}\n`).stored(6);
      await device.send(`${gateway.metrics(6)}\n`).expect('invalid_message 6');
    },
  },
];
