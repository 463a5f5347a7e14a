// Takes members out of a JSON object as they are written. JSON.parse alone would round numbers to 64 bits: two readings
// that differ in the last digit of a long number would look like copies.

const KEY = /\s*("[^"\\]*(?:\\.[^"\\]*)*")\s*:\s*/y;
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],]/g;

/** @param json a valid object @returns the text of each member at the top level; of equal names the last one */
export function rawMembers(json: string): Map<string, string> {
  const members = new Map<string, string>();
  for (let at = json.indexOf('{') + 1; ; ) {
    KEY.lastIndex = at;
    const key = KEY.exec(json)?.[1];
    if (key === undefined) return members;
    const start = KEY.lastIndex;
    const end = endOfValue(json, start);
    members.set(JSON.parse(key) as string, json.slice(start, end).trimEnd());
    at = end + 1;
  }
}

/** Where the comma or bracket stands that ends the value. */
function endOfValue(json: string, start: number): number {
  TOKEN.lastIndex = start;
  for (let depth = 0; ; ) {
    const token = TOKEN.exec(json);
    if (token === null) return json.length;
    const [text] = token;
    if (text === '{' || text === '[') depth++;
    else if (depth === 0 && (text === ',' || text === '}' || text === ']')) return token.index;
    else if (text === '}' || text === ']') depth--;
  }
}
