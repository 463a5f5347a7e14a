// The start of the page: makes the state, follows the gateway and draws the state at most once a frame.
import { render } from 'preact';
import { Live } from './api/live.ts';
import { App } from './app.tsx';
import { Store } from './state/store.ts';

const root = document.getElementById('app');
if (root !== null) {
  const store = new Store();
  const live = new Live(store);
  const draw = () => render(<App state={store.state} live={live} />, root);
  let isDrawing = false;
  store.onChange(() => {
    if (isDrawing) return;
    isDrawing = true;
    // A hidden tab has no frames: it keeps its samples and draws when it is seen.
    requestAnimationFrame(() => {
      isDrawing = false;
      draw();
    });
  });
  draw();
  void live.start();
}
