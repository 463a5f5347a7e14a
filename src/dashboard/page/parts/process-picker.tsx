// Chooses between the sum of all server processes and one of them. With one process there is nothing to choose.
import type { Live } from '../api/live.ts';

interface PickerProps {
  /** Their numbers. */
  readonly processes: readonly number[];
  readonly process: number | null;
  readonly live: Live;
}

export function ProcessPicker({ processes, process, live }: PickerProps) {
  if (processes.length < 2) return null;
  return (
    <span class="picker">
      <label for="view">View</label>
      <select
        id="view"
        value={process === null ? 'all' : String(process)}
        onChange={({ currentTarget: { value } }) => live.lookInto(value === 'all' ? null : Number(value))}
      >
        <option value="all">All processes</option>
        {processes.map((index) => (
          <option key={index} value={String(index)}>
            Process {index}
          </option>
        ))}
      </select>
    </span>
  );
}
