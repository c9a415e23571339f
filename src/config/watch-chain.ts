import { type BigIntStats, lstatSync, readlinkSync } from 'node:fs'
import { dirname, join, parse, resolve } from 'node:path'

/** As many symbolic links as the kernel follows (path_resolution(7)). */
const maxLinks = 40

/** What has to be watched so that no change of a file is missed. */
export interface WatchChain {
  /** Folders that hold the file or a symbolic link on the way to it; where one is gone, its nearest folder that is left. */
  readonly folders: readonly string[]
  /** The links, and the file itself at the end; some may be gone. */
  readonly entries: readonly string[]
  /** Changes when any folder, link or the file is another than before. */
  readonly identity: string
}

/**
 * Follows a path link by link. Kubernetes mounts `lb.yaml -> ..data/lb.yaml` and `..data -> ..2024_x`, and changes the
 * file by putting another `..data` in its place: the file itself is then never written to.
 */
export function followChain(file: string): WatchChain {
  const folders = new Set<string>()
  const entries: string[] = []
  const identities: string[] = []
  let path = resolve(file)
  for (let links = 0; links < maxLinks; links++) {
    const step = firstLink(path)
    folders.add(nearestFolder(dirname(step.entry)))
    entries.push(step.entry)
    identities.push(`${step.entry}=${step.identity}`)
    if (step.target === undefined) break
    path = step.target
  }
  for (const folder of folders) identities.push(`${folder}=${identityOf(statOf(folder))}`)
  return { folders: [...folders], entries, identity: identities.join('|') }
}

interface Step {
  /** The first symbolic link on the path, or the whole path where it has none. */
  readonly entry: string
  readonly identity: string
  /** Where the path leads once that link is followed. */
  readonly target: string | undefined
}

function firstLink(path: string): Step {
  const { root } = parse(path)
  const names = path.slice(root.length).split('/')
  let entry = root
  let stat: BigIntStats | undefined
  for (const [index, name] of names.entries()) {
    entry = join(entry, name)
    stat = statOf(entry)
    if (stat === undefined) break
    const link = stat.isSymbolicLink() ? linkTarget(entry) : undefined
    if (link === undefined) continue
    const target = resolve(dirname(entry), link, ...names.slice(index + 1))
    return { entry, identity: `${identityOf(stat)}>${link}`, target }
  }
  return { entry: path, identity: identityOf(stat), target: undefined }
}

function nearestFolder(folder: string): string {
  let path = folder
  while (path !== dirname(path) && statOf(path)?.isDirectory() !== true) path = dirname(path)
  return path
}

function statOf(path: string): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true })
  } catch {
    return undefined
  }
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    return undefined
  }
}

function identityOf(stat: BigIntStats | undefined): string {
  return stat === undefined ? 'gone' : `${stat.dev}:${stat.ino}:${stat.birthtimeNs}`
}
