// Takes the table of stored seqs over an orderly stop and the next start. It never fails either of them.
import type { Log } from '../log/log.ts';
import { resumeFile, takeResumeFile, writeResumeFile } from './resume-file.ts';
import type { ResumeTable } from './resume-table.ts';

/** @param directory SPOOL_DIR, whose lock this gateway holds */
export async function loadResumes(table: ResumeTable, directory: string, log: Log): Promise<void> {
  const found = await takeResumeFile(directory, table.maxDevices);
  if (found.state === 'read') {
    table.load(found.entries);
    log.write('resume_read', { devices: found.entries.length });
  } else if (found.state === 'unusable') {
    log.write('resume_unusable', { file: resumeFile(directory), reason: found.reason });
  }
}

/** To be called when all connections have ended. Connections that have not settled are left out. */
export async function saveResumes(table: ResumeTable, directory: string, log: Log): Promise<void> {
  try {
    if (await writeResumeFile(directory, table.entries())) return;
    log.write('resume_not_written', {
      file: resumeFile(directory),
      reason: 'another gateway has begun there',
    });
  } catch (error) {
    log.write('resume_not_written', { file: resumeFile(directory), reason: (error as Error).message });
  }
}
