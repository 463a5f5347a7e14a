// How much of a limit is used, as a bar with a text. Its colour changes at four fifths and when it is full.

interface MeterProps {
  readonly label: string;
  readonly value: number;
  readonly limit: number;
  readonly text: string;
}

export function Meter({ label, value, limit, text }: MeterProps) {
  const share = limit > 0 ? Math.min(1, Math.max(0, value / limit)) : 0;
  return (
    <meter
      aria-label={label}
      aria-valuetext={text}
      min={0}
      max={1}
      low={0.8}
      high={0.98}
      optimum={0}
      value={share}
    >
      {text}
    </meter>
  );
}
