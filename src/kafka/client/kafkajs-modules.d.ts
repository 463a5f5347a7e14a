// kafkajs has types for none of its internal modules. kafkajs.ts has the types of the parts in use.
declare module 'kafkajs/src/*' {
  const exported: unknown;
  export default exported;
}
