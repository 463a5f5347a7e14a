// Takes secrets out of log lines, whoever put them there: an error of a library may quote its input. It knows the values
// of the settings, also those that have changed since the start, and PEM blocks by their head.

/** A shorter secret may be an ordinary word. Hiding it everywhere would spoil the log and tell the secret. */
const MIN_CHARACTERS = 8;
const HIDDEN = '(hidden)';
/** In JSON: to the end of the block, or else of the string. */
const PEM_BLOCK = /-----BEGIN [^"]*?(?:-----END [^"-]*-----|(?="))/g;
/** As `sluice token add` makes it. It is allowed as a device_id and as a name, so people put it there by mistake. */
const DEVICE_TOKEN = /sluice_[\w-]{43,}/g;
/** A JWT (RFC 7519), as token endpoints give them for the login to Kafka. Its head and claims are JSON objects in base64url. */
const JWT = /\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*/g;

/** New values of secrets, as JSON. The newest last. */
const later: string[] = [];
/** Each change adds one. An old value is of no use to anybody. */
const MAX_LATER = 20;

/** A secret has this value now. It counts for all loggers of the process. */
export function alsoHide(secret: string): void {
  if (secret.length < MIN_CHARACTERS) return;
  later.push(asJson(secret));
  if (later.length > MAX_LATER) later.shift();
}

/** For texts that are shown elsewhere too, such as on /readyz. */
export function hideSecret(text: string, secret: string): string {
  return secret.length < MIN_CHARACTERS ? text : text.replaceAll(secret, HIDDEN);
}

/** @param secrets values as they are; a log line has them as JSON */
export function hideSecrets(secrets: readonly string[]): (line: string) => string {
  const written = secrets.filter((secret) => secret.length >= MIN_CHARACTERS).map(asJson);
  return (line) => {
    let shown = line;
    // The longest first: a secret may begin with a shorter one, and its rest would be shown.
    const all = [...later, ...written].sort((one, other) => other.length - one.length);
    for (const secret of all) if (shown.includes(secret)) shown = shown.replaceAll(secret, HIDDEN);
    if (shown.includes('-----BEGIN ')) shown = shown.replace(PEM_BLOCK, HIDDEN);
    if (shown.includes('eyJ')) shown = shown.replace(JWT, HIDDEN);
    return shown.includes('sluice_') ? shown.replace(DEVICE_TOKEN, HIDDEN) : shown;
  };
}

function asJson(secret: string): string {
  return JSON.stringify(secret).slice(1, -1);
}
