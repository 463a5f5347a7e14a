// A section of the page with its heading, which names it for people who do not see it, and a link that leads to it.
import type { ComponentChildren } from 'preact';

interface SectionProps {
  readonly id: string;
  readonly title: string;
  /** Beside the heading: the time or the scope of the figures. */
  readonly note?: ComponentChildren;
  readonly children: ComponentChildren;
}

export function Section({ id, title, note, children }: SectionProps) {
  return (
    <section id={id} aria-labelledby={`${id}-title`}>
      <header class="section-head">
        <h2 id={`${id}-title`}>{title}</h2>
        {note !== undefined && <p class="note">{note}</p>}
      </header>
      {children}
    </section>
  );
}
