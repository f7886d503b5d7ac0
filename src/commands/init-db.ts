import { createLedger, type LedgerInit } from '../db/open.js'
import type { InitDbResult } from '../lib/core/results.js'
import { BaseCommand } from '../lib/terminal/base-command.js'
import { dbFlag } from '../lib/terminal/flags.js'
import { runPipeline } from '../lib/terminal/pipeline.js'

export default class InitDb extends BaseCommand {
  static override summary = 'Create the ledger.'
  static override description =
    'Creates the SQLite database that holds who has which key, the secrets, and every change. It is readable by you alone. Running it again changes nothing.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --db comp1000.db',
  ]
  static override flags = { db: dbFlag }

  async run(): Promise<InitDbResult> {
    const { flags } = await this.parse(InitDb)
    const { came } = await runPipeline<{ came: LedgerInit }>(
      [
        {
          title: 'Create the ledger',
          run: async (context) => {
            context.came = await createLedger(flags.db)
            return context.came === 'created' ? flags.db : context.came
          },
        },
      ],
      { came: 'created' },
      this.progress(),
    )
    this.print([`${flags.db} ${SAYS[came]}`])
    return { db: flags.db, created: came === 'created', adopted: came === 'adopted', schemaVersion: 2 }
  }
}

const SAYS: Readonly<Record<LedgerInit, string>> = {
  created:
    'created, at schema v2. It will hold the secrets of the keys: keep it to yourself, and keep a backup.',
  adopted:
    "adopted: it is the Python tool's ledger, at schema v2. Its tables are as they were, class-keys has added tables of its own, and the file is readable by you alone.",
  'already there': 'is already at schema v2; nothing to do.',
}
