// Recognises secrets in texts that are shown: a pasted PEM block, and a password in a URL. It knows no settings.

/** Also in base64, the form in which Kubernetes has it in a secret. */
const PEM = /-----\s*(?:BEGIN|END)\b|LS0tLS1CRUdJTi/;
/** `//user:password@host` and `user:password@host`. A password may have any characters, such as `/`, `,` and spaces. */
const PASSWORD_IN_URL = /:[^@]*@/;

export function holdsPem(text: string): boolean {
  return PEM.test(text);
}

/** True if the text must not be shown. */
export function holdsSecret(text: string): boolean {
  return holdsPem(text) || PASSWORD_IN_URL.test(text);
}
