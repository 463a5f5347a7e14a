// Alerts on the records that wait on disk, and on the disk.
import { type Alert, gateways, grew } from './alert.ts';

export const SPOOL_ALERTS: readonly Alert[] = [
  {
    name: 'SluiceRecordsLost',
    // Damage is found at a start as a rule, so the counter may be above 0 in the first scrape.
    expr: grew('sluice_records_damaged_total', '1h', 3600),
    for: '0m',
    severity: 'page',
    summary: 'The spool of {{ $labels.instance }} has damaged records: they are lost.',
    meaning:
      'Records that were told `stored` cannot be read from the disk any more. The damaged bytes are kept aside, and everything else is sent.',
    confirm:
      '`sluice spool verify` on its machine; the log has `spool_damage_found`; `dmesg` for errors of the disk.',
    remedy: 'Replace the disk. Ask the owners of the devices to send the time in question again.',
    cases: [
      gateways('3m', [
        ['sluice_records_damaged_total', '7 7 7 7', '7+0x5'],
        ['sluice_uptime_seconds', '30+60x5', '3600+60x5'],
      ]),
      gateways('3m', [
        ['sluice_records_damaged_total', '7 7 8 8', '0+0x5'],
        ['sluice_uptime_seconds', '9000+60x5', '0+60x5'],
      ]),
    ],
  },
  {
    name: 'SluiceSpoolNearlyFull',
    expr: 'sluice_spool_fullest_ratio > 0.8 or sluice_spool_bytes / (sluice_spool_bytes + sluice_spool_disk_free_bytes) > 0.8',
    for: '1m',
    severity: 'page',
    summary: 'The spool of {{ $labels.instance }} has used more than four fifths of its room.',
    meaning:
      'When it is full, records stay in memory, and then devices are paused. Nothing is dropped. The room is `SPOOL_MAX_BYTES`, or what the disk has, if that is less; each server process has its share.',
    confirm: '`sluice spool ls`, and `df -h` of `SPOOL_DIR`.',
    remedy:
      'Bring Kafka back. Until then raise `SPOOL_MAX_BYTES` and restart, if the disk has room, or make space on the disk.',
    cases: [
      gateways('3m', [
        ['sluice_spool_bytes', '850+0x5', '800+0x5'],
        ['sluice_spool_disk_free_bytes', '150+0x5', '200+0x5'],
        ['sluice_spool_fullest_ratio', '0.1+0x5', '0.8+0x5'],
      ]),
      gateways('3m', [
        ['sluice_spool_bytes', '10+0x5', '10+0x5'],
        ['sluice_spool_disk_free_bytes', '9000+0x5', '9000+0x5'],
        ['sluice_spool_fullest_ratio', '0.81+0x5', '0.8+0x5'],
      ]),
    ],
  },
  {
    name: 'SluiceSpoolFullInAnHour',
    expr: '(predict_linear(sluice_spool_bytes[15m], 3600) > sluice_spool_capacity_bytes or predict_linear(sluice_spool_disk_free_bytes[15m], 3600) < 0) and sluice_spool_bytes > 0',
    for: '5m',
    severity: 'page',
    summary: 'At the pace of the last 15 minutes the spool of {{ $labels.instance }} is full within an hour.',
    meaning: 'When it is full, devices are paused. Nothing is dropped.',
    confirm:
      "`curl -s 'localhost:9108/readyz?verbose'` says for how long the room lasts; `sluice_spool_growth_bytes_per_second`.",
    remedy:
      'Bring Kafka back: [SluiceOutage](#sluiceoutage). Otherwise make more room: [SluiceSpoolNearlyFull](#sluicespoolnearlyfull).',
    cases: [
      gateways(
        '30m',
        [
          // 12 bytes a minute are 720 in an hour, so 1000 are foreseen from the 24th minute on.
          ['sluice_spool_bytes', '0+12x40', '0+10x40'],
          ['sluice_spool_capacity_bytes', '1000+0x40', '1000+0x40'],
          ['sluice_spool_disk_free_bytes', '9000-12x40', '9000-10x40'],
        ],
        { early: '28m' },
      ),
      gateways('30m', [
        // The disk has less than the limit. Of the other one something else fills the disk.
        ['sluice_spool_bytes', '0+12x40', '0+0x40'],
        ['sluice_spool_capacity_bytes', '9000+0x40', '9000+0x40'],
        ['sluice_spool_disk_free_bytes', '1000-12x40', '1000-12x40'],
      ]),
    ],
  },
  {
    name: 'SluiceSpoolDiskShort',
    expr: 'sluice_spool_disk_free_bytes < sluice_spool_capacity_bytes - sluice_spool_bytes',
    for: '10m',
    severity: 'ticket',
    summary:
      'The disk of the spool of {{ $labels.instance }} has less space than `SPOOL_MAX_BYTES` promises.',
    meaning:
      'In an outage of Kafka the spool is full sooner than you planned, and devices are paused then. Nothing is lost.',
    confirm: '`df -h` of `SPOOL_DIR`, and `sluice check`.',
    remedy: 'Make space on the disk, give the spool a disk of its own, or lower `SPOOL_MAX_BYTES`.',
    cases: [
      gateways('12m', [
        ['sluice_spool_disk_free_bytes', '899+0x20', '900+0x20'],
        ['sluice_spool_capacity_bytes', '1000+0x20', '1000+0x20'],
        ['sluice_spool_bytes', '100+0x20', '100+0x20'],
      ]),
    ],
  },
  {
    name: 'SluiceDiskRefuses',
    expr: 'sluice_spool_writable == 0 unless sluice_spool_limit_reached == 1',
    for: '1m',
    severity: 'page',
    summary: 'The disk of the spool of {{ $labels.instance }} refuses reads or writes.',
    meaning:
      'While Kafka takes records, they go there from memory. If Kafka cannot be used either, devices are paused. Nothing that was told `stored` is lost, if the disk can be read again.',
    confirm:
      "`curl -s 'localhost:9108/readyz?verbose'` has the error of the system; `dmesg`, `mount`, `ls -ld` of `SPOOL_DIR`.",
    remedy:
      'Make space if the disk is full; otherwise repair the disk or its rights. Writing goes on by itself within a second.',
    cases: [
      gateways('3m', [
        ['sluice_spool_writable', '1 0 0 0', '1 0 1 0'],
        ['sluice_spool_limit_reached', '0+0x5', '0+0x5'],
      ]),
      gateways('3m', [
        ['sluice_spool_writable', '1 0 0 0', '1 0 0 0'],
        ['sluice_spool_limit_reached', '0+0x5', '1+0x5'],
      ]),
    ],
  },
];
