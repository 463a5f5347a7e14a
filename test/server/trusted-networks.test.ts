// The networks of trusted proxies.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TrustedNetworks } from '../../src/server/trusted-networks.ts';

describe('the trusted networks', () => {
  for (const [networks, inside, outside] of [
    [
      '10.0.0.0/8',
      ['10.0.0.0', '10.255.255.255', '::ffff:10.1.2.3'],
      ['11.0.0.0', '9.255.255.255', '::ffff:11.0.0.1', '::a00:1'],
    ],
    ['10.1.2.3/8', ['10.200.0.1'], ['11.1.2.3']],
    [
      '192.0.2.7',
      ['192.0.2.7', '::ffff:192.0.2.7', '::ffff:c000:207'],
      ['192.0.2.6', '192.0.2.8', '::c000:207'],
    ],
    ['192.0.2.128/25', ['192.0.2.128', '192.0.2.255'], ['192.0.2.127']],
    ['192.0.2.7/32', ['192.0.2.7'], ['192.0.2.6']],
    ['0.0.0.0/0', ['1.2.3.4', '255.255.255.255', '::ffff:1.2.3.4'], ['::1', '2001:db8::1']],
    ['2001:db8::/32', ['2001:db8::1', '2001:db8:ffff::'], ['2001:db9::', '::ffff:1.2.3.4', '32.1.13.184']],
    ['2001:db8:0:1:8000::/65', ['2001:db8:0:1:8000::1'], ['2001:db8:0:1:7fff::1']],
    ['::1', ['::1'], ['::2', '0.0.0.1', '127.0.0.1', '::ffff:0.0.0.1']],
    ['fe80::/10', ['fe80::1', 'fe80::1%lo', 'febf::1'], ['fec0::1']],
    ['::ffff:10.0.0.0/104', ['10.1.2.3', '::ffff:10.1.2.3'], ['11.1.2.3']],
    ['10.0.0.1,fd00::/8', ['10.0.0.1', 'fd12::1'], ['10.0.0.2', 'fe00::']],
    ['', [], ['127.0.0.1', '::1']],
  ] as const) {
    it(`${networks || 'of an empty list'} hold ${inside.join(', ') || 'nobody'}, and not ${outside.join(', ')}`, () => {
      const trusted = new TrustedNetworks(networks === '' ? [] : networks.split(','));
      for (const address of inside) assert.ok(trusted.has(address), address);
      for (const address of outside) assert.ok(!trusted.has(address), address);
    });
  }
});
