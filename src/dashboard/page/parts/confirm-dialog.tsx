// Asks before something is changed, and tells the outcome. The browser keeps the focus inside and closes it with Escape.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

interface ConfirmProps {
  readonly title: string;
  /** The word of the button that does it. */
  readonly action: string;
  /** @returns the outcome in words */
  readonly onConfirm: () => Promise<string>;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

export function ConfirmDialog({ title, action, onConfirm, onClose, children }: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [outcome, setOutcome] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  useEffect(() => dialog.current?.showModal(), []);
  const closer = useRef<HTMLButtonElement>(null);
  // The button that had the focus is gone: a keyboard goes on here.
  useEffect(() => {
    if (outcome !== null) closer.current?.focus();
  }, [outcome]);
  const confirm = async () => {
    setBusy(true);
    setOutcome(await onConfirm());
    setBusy(false);
  };
  const close = () => dialog.current?.close();
  return (
    <dialog ref={dialog} aria-labelledby="dialog-title" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void confirm();
        }}
      >
        <h2 id="dialog-title">{title}</h2>
        {outcome === null ? children : <p role="alert">{outcome}</p>}
        <div class="buttons">
          {outcome === null && (
            <button type="submit" class="danger" disabled={isBusy}>
              {action}
            </button>
          )}
          <button ref={closer} type="button" class="quiet" onClick={close}>
            {outcome === null ? 'Cancel' : 'Close'}
          </button>
        </div>
      </form>
    </dialog>
  );
}
