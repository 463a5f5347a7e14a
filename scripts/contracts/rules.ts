// The settings on which the contracts depend.
import type { Settings } from '../../src/config/settings.ts';
import { lineRules } from '../../src/protocol/line-rules.ts';
import type { MessageRules } from './messages.ts';

export function rulesOf(settings: Settings): MessageRules {
  const { identify, traceparent } = lineRules(settings);
  return {
    identify,
    required: settings.TCP_REQUIRE,
    isTraced: traceparent,
    isCertified: settings.TCP_TLS_DEVICE_ID !== null,
    isWrapped: settings.TCP_LINES_WRAP,
  };
}
