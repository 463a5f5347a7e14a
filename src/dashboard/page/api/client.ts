// Requests to the admin port. An answer that is no success is a value, never an exception. Texts of answers are shown as text.

export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  /** `status` 0: no answer came. */
  | { readonly ok: false; readonly status: number; readonly text: string };

const TIMEOUT_MS = 10_000;
/** Reasons are one line. More is no message of the gateway. */
const MAX_TEXT = 300;
const NO_ANSWER = 'the gateway does not answer';

export function get<T>(path: string): Promise<Answer<T>> {
  return ask<T>(path, { headers: { Accept: 'application/json' } });
}

export function post<T>(path: string, body: object): Promise<Answer<T>> {
  const headers = { Accept: 'application/json', 'Content-Type': 'application/json' };
  return ask<T>(path, { method: 'POST', headers, body: JSON.stringify(body) });
}

/** Why a stream is refused; null if it is not. An EventSource does not tell. */
export async function refusalOf(path: string): Promise<string | null> {
  const end = new AbortController();
  try {
    const response = await fetch(path, {
      signal: AbortSignal.any([end.signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    return response.ok ? null : (await response.text()).trim().slice(0, MAX_TEXT);
  } catch {
    return NO_ANSWER;
  } finally {
    end.abort();
  }
}

async function ask<T>(path: string, init: RequestInit): Promise<Answer<T>> {
  try {
    const response = await fetch(path, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
    const text = await response.text();
    if (!response.ok) {
      return { ok: false, status: response.status, text: text.trim().slice(0, MAX_TEXT) };
    }
    const isJson = response.headers.get('Content-Type')?.startsWith('application/json') ?? false;
    return { ok: true, value: (isJson ? JSON.parse(text) : null) as T };
  } catch {
    return { ok: false, status: 0, text: NO_ANSWER };
  }
}
