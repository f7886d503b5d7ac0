import type { ExportResult } from '../../core/results.js'
import { count } from '../../core/words.js'

/** What `export-keys` shows. */
export function exportView({ file, keys, withoutSecret }: ExportResult): string[] {
  return [
    `${count(keys, 'key')} written to ${file}.`,
    ...(withoutSecret > 0
      ? [
          withoutSecret === 1
            ? '1 of them has no secret in this ledger; class-keys check tells more.'
            : `${withoutSecret} of them have no secret in this ledger; class-keys check tells more.`,
        ]
      : []),
    'It holds the secrets: hand each student their own, then delete the file.',
  ]
}
