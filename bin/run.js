#!/usr/bin/env node
import { flush } from '@oclif/core/flush'
import { run } from '@oclif/core/run'

const argv = process.argv.slice(2)
try {
  await run(argv, import.meta.url)
  flush()
} catch (error) {
  // Loaded on an error alone: it is not what a start should wait for.
  const { tellUncaught } = await import('../dist/lib/terminal/uncaught.js')
  await tellUncaught(error, argv, import.meta.url)
}
