import { type AddressInfo, createServer } from 'node:net'

// A backend in a process of its own, for tests that kill it. It tells its parent where it listens.
const server = createServer((socket) => {
  socket.on('error', () => {})
  socket.write('lone\n')
  socket.pipe(socket)
})
server.listen(0, '127.0.0.1', () => process.send?.(`127.0.0.1:${(server.address() as AddressInfo).port}`))
