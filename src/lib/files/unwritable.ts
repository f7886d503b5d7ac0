/** What the system says, in words. */
const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the disk takes no file of that size',
  ENOENT: 'the folder does not exist',
  ENOTDIR: 'not a folder',
}

/** What Windows says of a file that another program has open: it is not replaced under the other's hands. */
const HELD: readonly unknown[] = ['EPERM', 'EACCES', 'EBUSY']

/**
 * Whether the system refuses to replace a file because another program has it open. Elsewhere than on Windows a file can
 * be replaced that somebody reads.
 */
export function isHeldOpen(code: unknown, platform: NodeJS.Platform): boolean {
  return platform === 'win32' && HELD.includes(code)
}

/** A file that could not be written. */
export interface Unwritten {
  /** Its name and its folder, as the person gave them. */
  name: string
  folder: string
  /** What the system said; undefined where it did not say. */
  code: string | undefined
  /** The names of the files in its place and beside it; empty where the file was a new one. */
  beside: readonly string[]
}

/** Why a file could not be written, and what to do. */
export function unwritableWords(
  { name, folder, code, beside }: Unwritten,
  platform: NodeJS.Platform,
): string {
  if (beside.includes(name) && isHeldOpen(code, platform)) {
    return `${name} cannot be replaced: another program has it open. Close it in ${holder(name, beside)}, then run class-keys again. Nothing is lost: the file is as it was.`
  }
  const reason = code === undefined ? 'unknown reason' : (REASONS[code] ?? code)
  return `${name} cannot be written in ${folder} (${reason}). Run class-keys in a folder that you may write to.`
}

/** Which program has a file open, as the files tell that such programs put beside it. */
function holder(name: string, beside: readonly string[]): string {
  if (beside.includes(`.~lock.${name}#`)) return 'LibreOffice'
  return beside.includes(`~$${name}`) ? 'Excel' : 'the spreadsheet (Excel, most likely)'
}
