// The whole page: the login, or the sections in their order.
import type { Live } from './api/live.ts';
import { Banner } from './parts/banner.tsx';
import { Header } from './parts/header.tsx';
import { LoginForm } from './parts/login-form.tsx';
import { Sections } from './sections/all.tsx';
import type { PageState } from './state/store.ts';

export function App({ state, live }: { readonly state: PageState; readonly live: Live }) {
  const needsLogin = state.session?.login === 'needed' || state.asksLogin;
  return (
    <>
      <a class="skip" href="#content">
        Skip to content
      </a>
      <Header state={state} live={live} />
      <Banner state={state} />
      <main id="content" tabIndex={-1} class={state.link === 'lost' ? 'is-stale' : ''}>
        {needsLogin ? (
          <LoginForm session={state.session} onLogin={() => void live.start()} />
        ) : (
          <Sections state={state} live={live} />
        )}
      </main>
    </>
  );
}
