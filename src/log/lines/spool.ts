// Log lines about the spool, the disk and dead letters.
import type { LineTable } from '../line.ts';

export const SPOOL_LINES = {
  spool_recovered: {
    level: 'info',
    text: 'Spool: {records} {content} of an earlier run are waiting for Kafka',
    fields: { content: 'words', records: 'count', logs: 'number', badBatches: 'count', cutBytes: 'bytes' },
    meaning:
      'The start has found these records on disk. They are sent, in order, as soon as Kafka takes them.',
    look: '`sluice spool ls`',
  },
  spool_placed: {
    level: 'info',
    text: 'Spool: {place}, limit {maxBytes}, {freeBytes} of {totalBytes} free',
    fields: {
      place: 'words',
      directory: 'text',
      device: 'text?',
      fileSystem: 'text?',
      maxBytes: 'bytes',
      freeBytes: 'bytes',
      totalBytes: 'bytes',
    },
    meaning:
      'Records wait here while Kafka does not take them: the directory, its disk, `SPOOL_MAX_BYTES`, and how much room the disk has.',
    look: '`df -h DIRECTORY`',
  },
  spool_created: {
    level: 'warn',
    text: 'SPOOL_DIR={place} was missing and has been created. If it belongs on another disk, that disk is not mounted',
    fields: { place: 'words', directory: 'text' },
    meaning:
      'The directory is an absolute path and was not there. At the first start that is right. Later it means that a disk is missing, and what the spool held is on that disk.',
    look: '`findmnt -T DIRECTORY`',
    remedy:
      'At the first start nothing. Otherwise stop the gateway, mount the disk, copy what the new directory holds into a directory of its own, and start again. `RequiresMountsFor=DIRECTORY` in the systemd unit waits for the disk.',
  },
  resume_read: {
    level: 'info',
    text: 'The last stop left the stored seq of {devices} devices: those that resume are told',
    fields: { devices: 'number' },
    meaning: 'The file `resume` in `SPOOL_DIR` was read and deleted.',
  },
  resume_unusable: {
    level: 'warn',
    text: 'The file {file} cannot be used: {reason}. Devices that resume are told that nothing is known of them, and send again what they are not sure of',
    fields: { file: 'text', reason: 'text' },
    meaning:
      'The file with the stored seq of each device is damaged, or something else has its name. No reading is lost; the topic may get copies.',
    remedy: 'If the file is still there, delete it.',
  },
  resume_not_written: {
    level: 'warn',
    text: 'The stored seq of devices could not be written to {file}: {reason}. After the next start devices that resume are told that nothing is known of them',
    fields: { file: 'text', reason: 'text' },
    meaning: 'No reading is lost; the topic may get copies of readings that devices are not sure of.',
    look: '`df -h` and `ls -ld` on `SPOOL_DIR`',
    remedy:
      'Make room on the disk, and let the user of the gateway write there. If another gateway uses the directory by now, do nothing: it started before this one had ended.',
  },
  spool_disk_not_mounted: {
    level: 'warn',
    text: 'SPOOL_DIR={directory} is perhaps on the wrong disk: /etc/fstab has a disk for {mountPoint}, but nothing is mounted there',
    fields: { directory: 'text', mountPoint: 'text' },
    meaning:
      'The directory holds a spool already, so the gateway runs. As soon as the disk is mounted, this spool is hidden. Without a spool in the directory the start would have been refused.',
    look: '`findmnt -T DIRECTORY`',
    remedy: 'Stop the gateway, move the spool to the disk, mount it, and start again. Or correct /etc/fstab.',
  },
  spool_in_memory: {
    level: 'warn',
    text: 'SPOOL_DIR={directory} is in memory ({fileSystem}): what the spool holds is lost when the machine restarts, although devices were told stored',
    fields: { directory: 'text', fileSystem: 'text' },
    meaning: 'The file system keeps its files in memory, so `stored` promises less than it says.',
    look: '`findmnt -T DIRECTORY`',
    remedy: 'Set `SPOOL_DIR` to a directory on a disk.',
  },
  spool_disk_too_small: {
    level: 'warn',
    text: '{limits} more than the disk has: {freeBytes} are free for {place}, and the spool has {heldBytes}. {effect}. Free {shortBytes}, or lower the limits',
    fields: {
      limits: 'words',
      effect: 'words',
      place: 'words',
      directory: 'text',
      maxBytes: 'bytes',
      deadBytes: 'bytes',
      freeBytes: 'bytes',
      heldBytes: 'bytes',
      shortBytes: 'bytes',
    },
    meaning:
      'The disk fills up before `SPOOL_MAX_BYTES` or `SPOOL_DEAD_BYTES` is reached. Nothing is dropped then, but other programs on that disk fail too.',
    look: '`df -h DIRECTORY`',
    remedy: 'Free space, use a larger disk, or lower the two settings.',
  },
  spool_lock_waited: {
    level: 'warn',
    text: 'SPOOL_DIR={directory} is in use by another gateway or command of Sluice, {owner}: waiting up to {waitMs} for it to end',
    fields: { holder: 'number?', owner: 'words', directory: 'text', waitMs: 'ms' },
    meaning:
      'Another process, usually the former one that still stops, holds the lock of the spool. `holder` is the process to stop, the first one of its gateway.',
    look: '`ps -fp PID`',
    remedy: 'Nothing if it is the former process. Two gateways need two `SPOOL_DIR`.',
  },
  spool_upgraded: {
    level: 'info',
    text: 'Spool: {remark}',
    fields: { remark: 'words', directory: 'text' },
    meaning: 'The start has brought the files of the spool into their present form. Nothing is lost.',
  },
  spool_damage_found: {
    level: 'warn',
    text: 'Spool: {remark}',
    fields: { remark: 'words', directory: 'text' },
    meaning:
      'The start has found a file of the spool that is not as it should be. The text says what that means for the records.',
    look: '`sluice spool verify`',
    remedy: 'Do what the text says. Damage that comes again means a bad disk: look at `dmesg -T`.',
  },
  spool_unreadable: {
    level: 'error',
    text: 'Spool: {remark}',
    fields: { remark: 'words', directory: 'text' },
    meaning:
      'The disk does not give back a part of the spool. Those records count as damaged; all others are sent.',
    look: '`dmesg -T` and `smartctl -a DEVICE`',
    remedy: 'Replace the disk. The file is kept as `*.bad`, for somebody who can read it elsewhere.',
  },
  partition_left_for_disk: {
    level: 'debug',
    text: 'Partition {partition} goes to the spool until Kafka takes its batches again',
    fields: { topic: 'text', partition: 'number', reason: 'text' },
    meaning:
      'Batches of this partition are written to the disk, and confirmed to devices once they are durable there.',
    look: '`sluice spool ls`',
    remedy: 'See the line that says why Kafka cannot be used.',
  },
  partition_drained: {
    level: 'debug',
    text: 'Partition {partition} is drained, its batches go straight to Kafka again',
    fields: { topic: 'text', partition: 'number' },
    meaning: 'Everything of this partition that was on disk is in Kafka.',
  },
  partition_held: {
    level: 'debug',
    text: 'Partition {partition} waits on disk: Kafka refused each of its first records, so the topic, the broker or a clock seems to be at fault, and not the records. Nothing is lost',
    fields: { topic: 'text', partition: 'number', reason: 'text', remedy: 'text?' },
    meaning:
      'Kafka refuses all records of the partition for one reason. They stay on disk and are tried now and then.',
    look: '`date` here and on the broker; the settings of the topic.',
    remedy: 'Do what `remedy` says. Records then flow by themselves.',
  },
  partitions_gone: {
    level: 'warn',
    text: 'Topic {topic} has fewer partitions than before. The records of those that are gone get other partitions; new records wait on disk meanwhile',
    fields: { topic: 'text', partitions: 'number?', gone: 'numbers' },
    meaning:
      'Records on disk belong to partitions that no longer exist. They are copied to those that are left.',
    remedy: 'Nothing. A line says when it is done.',
  },
  records_placed: {
    level: 'info',
    text: 'Records that waited on disk without a partition have theirs now',
    fields: { topic: 'text', records: 'count' },
    meaning:
      'Records that were accepted before Kafka had told the number of partitions are in the partitions’ logs.',
  },
  dead_letters_waiting: {
    level: 'debug',
    text: 'Records that Kafka refused are kept on disk as dead letters, as their topic does not take them; nothing is lost',
    fields: { reason: 'text', waiting: 'count' },
    everyMs: 60_000,
    meaning: 'Dead letters of refused records wait on disk, because their own topic cannot be written to.',
    look: '`sluice dead ls`',
    remedy: 'Do what `reason` says about the topic of `KAFKA_TOPIC_DEAD_LETTERS`.',
  },
  orphan_taken_up: {
    level: 'info',
    text: 'Spool: {records} records of a former process are taken up',
    fields: { directory: 'text', records: 'count', deadLetters: 'count' },
    meaning: 'A former server process has left records in its directory. This process sends them.',
  },
  orphan_unopened: {
    level: 'warn',
    text: 'Spool: what a former process left cannot be opened yet and is not sent; it is tried on',
    fields: { reasons: 'texts' },
    everyMs: 60_000,
    meaning: 'The directory of a former server process cannot be opened. Its records stay on disk.',
    remedy: 'Do what `reasons` say: usually another process still holds the lock, or rights are missing.',
  },
  orphan_removed: {
    level: 'info',
    text: 'Spool: what was left in {directory} is sent, and the directory is removed',
    fields: { directory: 'text' },
    meaning: 'Everything that a former server process had left is in Kafka.',
  },
  orphan_damage_kept: {
    level: 'info',
    text: 'Spool: what was left in {directory} is sent; damaged bytes that were set aside stay',
    fields: { directory: 'text' },
    meaning: 'Everything that could be read is in Kafka. Files `*.bad` stay.',
    look: '`sluice spool ls`',
    remedy: '`sluice spool rm` deletes them.',
  },
  orphan_directory_kept: {
    level: 'warn',
    text: 'Spool: what was left in {directory} is sent; the directory stays',
    fields: { directory: 'text', err: 'error' },
    meaning: 'Everything is in Kafka. The empty directory could not be removed.',
    remedy: 'Correct the rights that `err` names, or leave it: the next start tries again.',
  },
  other_topic_found: {
    level: 'info',
    text: 'Spool: {records} records of {topic} are on disk. KAFKA_TOPIC_METRICS no longer names it; they are sent to {topic} all the same and count against SPOOL_MAX_BYTES until then',
    fields: { topic: 'text', records: 'count', directory: 'text' },
    meaning: 'The name of the topic was changed while records were on disk. They go where they belong.',
  },
  other_topic_sent: {
    level: 'info',
    text: 'Spool: nothing of {topic}, which KAFKA_TOPIC_METRICS no longer names, is left on disk',
    fields: {
      topic: 'text',
      records: 'count',
      confirmed: 'count',
      deadLettered: 'count',
      damaged: 'count',
      directory: 'text',
    },
    meaning: 'The records of the former topic are sent.',
  },
  other_topic_folders_kept: {
    level: 'warn',
    text: 'Spool: the folders of {topic} stay',
    fields: { topic: 'text', err: 'error' },
    meaning: 'The records of the former topic are sent. Its empty folders could not be removed.',
    remedy: 'Correct the rights that `err` names, or leave it: the next start tries again.',
  },
  other_topic_waiting: {
    level: 'warn',
    text: 'Spool: {records} {content} wait on disk: {reason}',
    fields: { content: 'words', topic: 'text', records: 'count', reason: 'text?' },
    meaning:
      'What a former process or a former topic left on disk cannot be sent for the given reason. It is tried on.',
    look: '`sluice spool ls`',
    remedy:
      'Do what `reason` says. If nobody needs a topic any more: `sluice spool cat --topic TOPIC`, then remove its folder while the gateway is stopped.',
  },
} as const satisfies LineTable;
