// The changes that a viewer can make: the log level and the drain. Both ask first, and need a login.
import { useEffect, useState } from 'preact/hooks';
import { get, post } from '../api/client.ts';
import type { SessionShape } from '../api/shapes.ts';
import { ConfirmDialog } from '../parts/confirm-dialog.tsx';
import { Section } from '../parts/section.tsx';

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

export function ControlsSection({ session }: { readonly session: SessionShape | null }) {
  const mayChange = session?.mayChange ?? false;
  const [level, setLevel] = useState<string | null>(null);
  const [wished, setWished] = useState<string | null>(null);
  const [isDraining, setDraining] = useState(false);
  const readLevel = async () => {
    const answer = await get<{ level: string }>('/log-level');
    if (answer.ok) setLevel(answer.value.level);
  };
  useEffect(() => void readLevel(), []);
  const changeLevel = async () => {
    const answer = await post<{ level: string }>('/log-level', { level: wished });
    if (!answer.ok) return `Nothing was changed: ${answer.text}`;
    setLevel(answer.value.level);
    return `The log level is ${answer.value.level}.`;
  };
  const drain = async () => {
    const answer = await post('/drain', {});
    return answer.ok ? 'The gateway drains, then it stops.' : `Nothing was changed: ${answer.text}`;
  };
  return (
    <Section id="controls" title="Controls" note={noteOf(session)}>
      <div class="card pad controls">
        <span class="field">
          <label for="log-level">Log level</label>
          <select
            id="log-level"
            disabled={!mayChange}
            value={level ?? ''}
            onChange={({ currentTarget }) => {
              setWished(currentTarget.value);
              currentTarget.value = level ?? '';
            }}
          >
            {LEVELS.map((one) => (
              <option key={one} value={one}>
                {one}
              </option>
            ))}
          </select>
        </span>
        <button type="button" class="danger" disabled={!mayChange} onClick={() => setDraining(true)}>
          Drain and stop …
        </button>
      </div>
      {wished !== null && (
        <ConfirmDialog
          title={`Set the log level to ${wished}?`}
          action="Set log level"
          onConfirm={changeLevel}
          onClose={() => setWished(null)}
        >
          <p>
            It holds for all processes until the next start. Level debug writes a line for each connection.
          </p>
        </ConfirmDialog>
      )}
      {isDraining && (
        <ConfirmDialog
          title="Drain the gateway, then stop it?"
          action="Drain and stop"
          onConfirm={drain}
          onClose={() => setDraining(false)}
        >
          <p>
            It says that it is not ready, sends its devices away, and ends. It does not start again by itself.
          </p>
        </ConfirmDialog>
      )}
    </Section>
  );
}

function noteOf(session: SessionShape | null): string {
  if (session?.mayChange) return 'each change is written to the log';
  return session?.canLogIn ? 'log in to change something' : 'changes need HTTP_TOKEN, which is not set';
}
