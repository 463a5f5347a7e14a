// Input that costs the gateway as much as possible and makes no record.
const FIELDS = Array.from({ length: 4000 }, (_, index) => `"${index}":[1,{}]`).join(',');

export const RUBBISH = [
  '{}\n'.repeat(50_000),
  '[1]\n'.repeat(20_000),
  `{"type":"metrics","data":[${Array(1000).fill('"a=b,c=d,e=f"').join(',')}]}\n`.repeat(100),
  `{"type":"metrics","data":{${FIELDS}}}\n`.repeat(100),
  `{"type":"metrics","data":${'['.repeat(30_000)}${']'.repeat(30_000)}}\n`.repeat(100),
];
