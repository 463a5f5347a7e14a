// A server in a process of its own, for scripts about processes that stop or die. As a program it is told by its arguments.
import net, { type Socket } from 'node:net';

export interface ChildServer {
  /** Undefined = a free port; otherwise the first of the descriptors that it has inherited. */
  readonly fd: number | undefined;
  /** Reads nothing. Otherwise it sends back all bytes. */
  readonly isDeaf: boolean;
}

export function runServer(
  on: Pick<typeof net, 'createServer'>,
  { fd, isDeaf }: ChildServer,
  listening: (port: number) => void,
): void {
  const server = on.createServer({ allowHalfOpen: true, pauseOnConnect: isDeaf }, (socket: Socket) => {
    socket.on('error', () => socket.destroy());
    if (!isDeaf) socket.pipe(socket);
  });
  const told = () => listening((server.address() as { port: number }).port);
  if (fd === undefined) server.listen({ host: '127.0.0.1', port: 0 }, told);
  else server.listen({ fd }, told);
}

const [, , isProgram, fd, how] = process.argv;
if (isProgram === 'serve') {
  runServer(net, { fd: fd === 'none' ? undefined : Number(fd), isDeaf: how === 'deaf' }, (port) =>
    process.send?.(port),
  );
}
