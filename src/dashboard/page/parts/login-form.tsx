// Asks for the token of the gateway. The page never keeps it: the gateway answers with a cookie that scripts cannot read.
import { useEffect, useRef, useState } from 'preact/hooks';
import { post } from '../api/client.ts';
import type { SessionShape } from '../api/shapes.ts';

interface LoginProps {
  readonly session: SessionShape | null;
  readonly onLogin: () => void;
}

export function LoginForm({ session, onLogin }: LoginProps) {
  const [token, setToken] = useState('');
  const [problem, setProblem] = useState<string | null>(null);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const login = async () => {
    const answer = await post('/login', { token });
    setToken('');
    setProblem(answer.ok ? null : answer.text);
    if (answer.ok) onLogin();
  };
  if (session?.canLogIn === false) {
    return (
      <p class="card login">
        HTTP_TOKEN is not set, so nobody can log in. Set it, or open this page on the machine of the gateway.
      </p>
    );
  }
  return (
    <form
      class="card login"
      onSubmit={(event) => {
        event.preventDefault();
        void login();
      }}
    >
      <h2>Log in</h2>
      <label>
        Token
        <input
          ref={field}
          type="password"
          name="token"
          autocomplete="current-password"
          required
          value={token}
          onInput={({ currentTarget }) => setToken(currentTarget.value)}
          aria-describedby="login-help"
        />
      </label>
      <p id="login-help" class="note">
        The value of HTTP_TOKEN. The login lasts 12 hours.
      </p>
      {problem !== null && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <button type="submit">Log in</button>
    </form>
  );
}
