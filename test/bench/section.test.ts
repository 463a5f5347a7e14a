// A section of a shared page: only the text between its own markers changes.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, test } from 'node:test';
import { commandText } from '../../bench/report/circumstances.ts';
import { SectionError, withSection, writeSection } from '../../scripts/docs/section.ts';

const PAGE = `# Page

<!-- bench: begin -->
other figures
<!-- bench: end -->

By hand, about \`<!-- scaling: begin -->\`, which is
not <!-- scaling: end -->

<!-- scaling: begin -->
old
<!-- scaling: end -->
The end, $& and $1.
`;

describe('a section of a page', () => {
  it('is replaced between its markers, and everything else stays', () => {
    assert.equal(
      withSection(PAGE, 'scaling', 'new $& text\n'),
      PAGE.replace('\nold\n', () => '\nnew $& text\n'),
    );
  });

  it('is the same when it is written twice', () => {
    const once = withSection(PAGE, 'scaling', 'new');
    assert.equal(withSection(once, 'scaling', 'new'), once);
  });

  it('is added at the end of a page without its markers', () => {
    assert.equal(
      withSection(PAGE, 'sustained', 'text'),
      `${PAGE}\n<!-- sustained: begin -->\ntext\n<!-- sustained: end -->\n`,
    );
  });

  it('is refused unless its markers are one pair in order', () => {
    const [begin, end] = ['<!-- scaling: begin -->', '<!-- scaling: end -->'];
    for (const text of [
      begin,
      end,
      `${end}\n${begin}`,
      `${begin}\n${begin}\n${end}`,
      `${begin}\n${end}\n${end}`,
    ])
      assert.throws(() => withSection(text, 'scaling', 'new'), SectionError, text);
  });

  it('creates a missing page, and does not change a page with bad markers', async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'sluice-section-'));
    t.after(() => rm(directory, { recursive: true }));
    const file = join(directory, 'docs', 'page.md');
    await writeSection({ file, heading: 'Figures' }, 'scaling', 'text');
    assert.equal(
      await readFile(file, 'utf8'),
      '# Figures\n\n<!-- scaling: begin -->\ntext\n<!-- scaling: end -->\n',
    );
    await writeFile(file, '<!-- scaling: begin -->\n');
    await assert.rejects(writeSection({ file, heading: 'Figures' }, 'scaling', 'text'), SectionError);
    assert.equal(await readFile(file, 'utf8'), '<!-- scaling: begin -->\n');
  });
});

test('the command of a report names no files', () => {
  const args = ['--only', 'workers', '--json', '/tmp/x.json', '--report=/y.md', '--env', 'A=b c', '--report'];
  assert.equal(
    commandText('scaling', args),
    "npm run scaling -- --only workers --report --env 'A=b c' --report",
  );
  assert.equal(commandText('scaling', ['--json', 'x']), 'npm run scaling');
});
