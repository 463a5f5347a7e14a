// Asks before a connection is ended, and for how long its device should stay away.
import { useState } from 'preact/hooks';
import { post } from '../api/client.ts';
import type { ConnectionShape } from '../api/shapes.ts';
import { ConfirmDialog } from './confirm-dialog.tsx';
import { nameOf } from './connection-row.tsx';

interface KickProps {
  readonly connection: ConnectionShape;
  readonly onClose: () => void;
}

export function KickDialog({ connection, onClose }: KickProps) {
  const [seconds, setSeconds] = useState(10);
  const kick = async () => {
    const { connection_id } = connection;
    const answer = await post<{ kicked: number }>('/kick', {
      connection_id,
      reconnect_after_ms: Math.round(seconds * 1000),
    });
    if (!answer.ok) return `Nothing was changed: ${answer.text}`;
    return answer.value.kicked === 0 ? 'It was gone already.' : 'The connection was ended.';
  };
  return (
    <ConfirmDialog title={`Kick ${nameOf(connection)}?`} action="Kick" onConfirm={kick} onClose={onClose}>
      <p>The device gets the code kicked, and its connection ends. It may connect again.</p>
      <label>
        Reconnect after, in seconds
        <input
          type="number"
          min={0}
          max={300}
          value={seconds}
          onInput={({ currentTarget }) => setSeconds(currentTarget.valueAsNumber || 0)}
        />
      </label>
    </ConfirmDialog>
  );
}
