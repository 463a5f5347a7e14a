import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressText, canonicalAddress, isLoopback } from '../../src/config/ip-address.ts';

test('an address has one text, however it is written', () => {
  for (const written of ['192.0.2.7', '::ffff:192.0.2.7', '::FFFF:192.0.2.7', '::ffff:c000:207'])
    assert.equal(canonicalAddress(written), '192.0.2.7', written);
  for (const written of ['2001:db8::1', '2001:DB8:0:0::1'])
    assert.equal(canonicalAddress(written), '2001:db8::1');
  assert.equal(canonicalAddress('FE80::1%eth0'), 'fe80::1%eth0');
  assert.equal(addressText('::ffff:192.0.2.7'), '192.0.2.7');
});

test('a text that is no address has none', () => {
  for (const text of ['', '.*', 'localhost', '192.0.2', '127.1', '192.0.2.7:80', '[::1]'])
    assert.equal(canonicalAddress(text), undefined, text);
});

test('loopback is 127.0.0.0/8 and ::1, mapped into IPv6 too, and no name', () => {
  for (const address of ['127.0.0.1', '127.9.9.9', '::1', '0:0::1', '::ffff:127.0.0.1', '::FFFF:127.0.0.1'])
    assert.ok(isLoopback(address), address);
  for (const address of ['128.0.0.1', '0.0.0.0', '::', '::2', 'localhost', '127.evil.example', ''])
    assert.ok(!isLoopback(address), address);
});
