// A server process for tests, without a gateway: it reports that it has started, and then follows the variable SCRIPT.
import type { Figures } from '../../src/admin/snapshot.ts';
import { nothingToStop } from '../../src/gateway/stop-result.ts';
import type { Order, Report } from '../../src/processes/messages.ts';

export type Script =
  /** Answers each request for its figures, and each question with its name; the third never. */
  | 'answers'
  /** Ends with exit code 3 at the first request for its figures. */
  | 'crash-unseen'
  /** Ends with exit code 3 at the order to stop, without a report. */
  | 'crash-at-stop'
  /** Neither answers nor ends. */
  | 'deaf'
  /** Reports at the order to stop that 5 records are left. */
  | 'leaves-5'
  /** Does not start, because of the settings. */
  | 'refuses'
  /** Never says that it has started. */
  | 'starting';

const script = process.env.SCRIPT as Script;
let questions = 0;
const tell = (report: Report, done = () => {}): void => void process.send?.(report, done);

process.on('message', (order: Order) => {
  switch (order.type) {
    case 'start':
      if (script === 'refuses')
        tell({ type: 'failed', message: 'refused', code: 'REFUSED', exitCode: 78 }, () => process.exit(1));
      else if (script !== 'starting') tell({ type: 'started' });
      break;
    case 'figures':
      if (script === 'crash-unseen') process.exit(3);
      if (script === 'answers')
        tell({ type: 'figures', request: order.request, figures: { version: 'mine' } as Figures });
      break;
    case 'ask':
      if (script === 'answers' && ++questions !== 3)
        tell({ type: 'answer', request: order.request, text: JSON.stringify(order.asked.name) });
      break;
    case 'stop':
      if (script === 'crash-at-stop') process.exit(3);
      if (script === 'leaves-5')
        tell({ type: 'stopped', result: { ...nothingToStop(), complete: false, unconfirmed: 5 } }, () =>
          process.exit(1),
        );
      break;
  }
});
process.on('disconnect', () => process.exit(0));
