/**
 * Adds to package-lock.json the platform packages that `npm install` left out.
 *
 * npm drops an optional dependency whose version its registry does not serve, and `npm ci` then refuses the lock it
 * wrote. Each dropped one comes back as an optional entry with version, os and cpu, read off its name. Such an entry
 * has no integrity: npm downloads it only on that platform. Running this twice changes nothing the second time.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

interface Entry {
  version?: string
  cpu?: ReadonlyArray<string>
  dev?: boolean
  libc?: ReadonlyArray<string>
  optional?: boolean
  os?: ReadonlyArray<string>
  resolved?: string
  optionalDependencies?: Record<string, string>
}

const systems = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"]
const processors = ["arm", "arm64", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "x64"]

const platformOf = (name: string): Pick<Entry, "os" | "cpu" | "libc"> => {
  const words = name.split(/[-/]/)
  const os = words.find((word) => systems.includes(word))
  // "arm-eabi" and "arm-gnueabihf" are both the processor npm calls arm.
  const cpu = words.find((word) => processors.includes(word))
  if (os === undefined || cpu === undefined) throw new Error(`cannot read a platform off the name of ${name}`)
  const libc = words.some((word) => word.startsWith("musl"))
    ? ["musl"]
    : words.some((word) => word.startsWith("gnu"))
      ? ["glibc"]
      : undefined
  return libc === undefined ? { cpu: [cpu], os: [os] } : { cpu: [cpu], libc, os: [os] }
}

const path = join(import.meta.dirname, "..", "package-lock.json")
const lock = JSON.parse(readFileSync(path, "utf8")) as { packages: Record<string, Entry> }

const added: Array<string> = []
for (const [location, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (`node_modules/${name}` in lock.packages || `${location}/node_modules/${name}` in lock.packages) continue
    if (!/^\d+\.\d+\.\d+/.test(version)) throw new Error(`${location} wants ${name} ${version}, which is no version`)
    const { cpu, libc, os } = platformOf(name)
    lock.packages[`node_modules/${name}`] = {
      version,
      ...(cpu && { cpu }),
      ...(entry.dev && { dev: true }),
      ...(libc && { libc }),
      optional: true,
      ...(os && { os })
    }
    added.push(`${name} ${version}`)
  }
}

const hosts = Object.entries(lock.packages).filter(([, entry]) => entry.resolved?.includes("://"))
if (hosts.length > 0) throw new Error(`the lock names a registry for ${hosts.map(([location]) => location).join(", ")}`)

const byLocation = ([left]: [string, Entry], [right]: [string, Entry]) => left.localeCompare(right, "en")
lock.packages = Object.fromEntries(Object.entries(lock.packages).toSorted(byLocation))
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`)
console.log(added.length === 0 ? "lock: nothing was missing" : `lock: added ${added.length}\n  ${added.join("\n  ")}`)
