import { enableCompileCache } from 'node:module'
import { homedir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { compileCacheFolder } from './lib/terminal/compile-cache.js'
import { quickAnswer } from './lib/terminal/quick-answer.js'

// What is compiled once is read from there at the next start. Where it cannot be written, Node goes on without a word.
enableCompileCache(compileCacheFolder(process.env, process.platform, homedir()))

const root = fileURLToPath(new URL('..', import.meta.url))
const argv = process.argv.slice(2)
const answer = quickAnswer(argv, root)
if (answer !== undefined) process.stdout.write(answer)
else {
  // oclif is loaded by whoever needs it.
  const { runProgram } = await import('./lib/terminal/program.js')
  await runProgram(argv, root)
}
