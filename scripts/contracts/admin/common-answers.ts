// The answers that a request may get before its page is asked: from the checks of router.ts and access/ in src/admin, and from
// the limits of http-server.ts and streams.ts there. The document lists them with each operation.
import type { AnswerForm, AnswerForms } from '../../../src/admin/operations.ts';
import { MAX_BODY_BYTES } from '../../../src/admin/request-body.ts';

interface Access {
  /** As in routes.ts. */
  readonly isOpen?: true | 'in part' | undefined;
  readonly isChange: boolean;
}

const SOURCE: AnswerForm = {
  about: 'the Host or the Origin of the request is not served, or HTTP_TOKEN is needed and not set',
};
const OPEN_SOURCE: AnswerForm = { about: 'the Host or the Origin of the request is not served' };
const TOKEN: AnswerForms = {
  401: {
    about: 'the token or the cookie is missing, wrong, or no longer counts',
    headers: ['WWW-Authenticate'],
  },
  429: { about: 'too many wrong tokens from this address', headers: ['Retry-After'] },
};
const BODY: AnswerForms = {
  413: { about: `the body has more than ${MAX_BODY_BYTES} bytes; nothing was changed` },
};
const FAULT: AnswerForms = { 500: { about: 'an internal error, which is in the log' } };

/** Answers of every operation of this kind. Its own answers with the same status come beside them. */
export function commonAnswers({ isOpen, isChange }: Access): AnswerForms {
  const needsToken = isOpen === undefined;
  return {
    403: needsToken ? SOURCE : OPEN_SOURCE,
    ...(needsToken && TOKEN),
    ...(isChange && BODY),
    ...FAULT,
  };
}

/** Answers to a request that fits no operation. */
export const OTHER_ANSWERS: AnswerForms = {
  404: { about: 'there is no such page; the text names those that there are' },
  405: { about: 'the page has no such method', headers: ['Allow'] },
};
