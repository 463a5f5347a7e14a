// The row of the dashboard on the spool and its disk.
import { EACH, figure, lines, NOT_ZERO, type Row } from './panel.ts';

export const SPOOL: Row = {
  title: 'Spool',
  panels: [
    lines(
      {
        title: 'Spool, how full',
        help: 'The part of its room that is used: of SPOOL_MAX_BYTES in the fullest process, and of what the disk has for it.',
        page: 'operations.md#sluicespoolnearlyfull',
      },
      'percentunit',
      [
        { expr: 'sluice_spool_fullest_ratio', legend: `${EACH} of the limit` },
        {
          expr: 'sluice_spool_bytes / (sluice_spool_bytes + sluice_spool_disk_free_bytes)',
          legend: `${EACH} of the disk`,
        },
      ],
      {
        max: 1,
        thresholds: [
          ['green', 0],
          ['red', 0.8],
        ],
      },
    ),
    lines({ title: 'Spool, bytes', help: 'Bytes on disk.', page: 'operations.md#component-spool' }, 'bytes', [
      { expr: 'sluice_spool_bytes', legend: EACH },
    ]),
    lines(
      {
        title: 'Time until the spool is full',
        help: 'At the pace of the last 15 minutes. Empty while it does not grow.',
        page: 'operations.md#sluicespoolfullinanhour',
      },
      's',
      [
        {
          expr: '(sluice_spool_capacity_bytes - sluice_spool_bytes) / (deriv(sluice_spool_bytes[15m]) > 0)',
          legend: EACH,
        },
      ],
    ),
    lines(
      {
        title: 'Free space of the disk',
        help: 'Of SPOOL_DIR, and what the spool may still take.',
        page: 'operations.md#sluicespooldiskshort',
      },
      'bytes',
      [
        { expr: 'sluice_spool_disk_free_bytes', legend: `${EACH} free` },
        { expr: 'sluice_spool_capacity_bytes - sluice_spool_bytes', legend: `${EACH} may be needed` },
      ],
    ),
    lines(
      {
        title: 'Partitions through the disk',
        help: 'Partitions whose batches go through the spool. 0 while Kafka takes all.',
        page: 'architecture.md#the-spool',
      },
      'short',
      [{ expr: 'sluice_spool_partitions', legend: EACH }],
    ),
    figure(
      {
        title: 'Records lost to damage',
        help: 'Since the start of the gateway.',
        page: 'operations.md#sluicerecordslost',
      },
      'short',
      { expr: 'sluice_records_damaged_total', legend: EACH },
      { thresholds: NOT_ZERO },
    ),
  ],
};
