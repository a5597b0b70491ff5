import { addressBareIp } from './address-bare-ip.ts';
import { addressHost } from './address-host.ts';
import { addressLegacy } from './address-legacy.ts';
import { addressLoopback } from './address-loopback.ts';
import { addressParts } from './address-parts.ts';
import { addressScheme } from './address-scheme.ts';
import { addressTemplate } from './address-template.ts';
import { addressUnusable } from './address-unusable.ts';
import { addressWithoutPort } from './address-without-port.ts';
import { alreadyMigrated } from './already-migrated.ts';
import { autoAddresses } from './auto-addresses.ts';
import { bridgeFirst } from './bridge-first.ts';
import type { Check } from './check.ts';
import { collectionDropped } from './collection-dropped.ts';
import { configDirIgnored } from './config-dir-ignored.ts';
import { discoverySelectors } from './discovery-selectors.ts';
import { envoyFilterOld } from './envoy-filter-old.ts';
import { fieldDropped } from './field-dropped.ts';
import { flagRemoved } from './flag-removed.ts';
import { galleyAndKubernetes } from './galley-and-kubernetes.ts';
import { galleyDialsOut } from './galley-dials-out.ts';
import { galleyLeftover } from './galley-leftover.ts';
import { galleyTls } from './galley-tls.ts';
import { helmValueRemoved } from './helm-value-removed.ts';
import { kubernetesSourceInexact } from './kubernetes-source-inexact.ts';
import { kubernetesSourceMissing } from './kubernetes-source-missing.ts';
import { meshConfigElsewhere } from './mesh-config-elsewhere.ts';
import { meshConfigManaged } from './mesh-config-managed.ts';
import { messageLimitRaised } from './message-limit-raised.ts';
import { messageSize } from './message-size.ts';
import { mixerLeftover } from './mixer-leftover.ts';
import { mixerMeshField } from './mixer-mesh-field.ts';
import { noConfigSources } from './no-config-sources.ts';
import { nothingFound } from './nothing-found.ts';
import { objectUnreadable } from './object-unreadable.ts';
import { registriesEmpty } from './registries-empty.ts';
import { registryRemoved } from './registry-removed.ts';
import { revisionUnseen } from './revision-unseen.ts';
import { sameKey } from './same-key.ts';
import { sourceOrder } from './source-order.ts';
import { sourceTwice } from './source-twice.ts';
import { subscribedResources } from './subscribed-resources.ts';
import { targetLegacy } from './target-legacy.ts';
import { targetTraits } from './target-traits.ts';
import { targetUnknown } from './target-unknown.ts';
import { tlsCaPath } from './tls-ca-path.ts';
import { tlsIgnored } from './tls-ignored.ts';
import { tlsPlaintext } from './tls-plaintext.ts';
import { tlsUnverified } from './tls-unverified.ts';
import { trustDomainEmpty } from './trust-domain-empty.ts';
import { variableRemoved } from './variable-removed.ts';
import { versionSkip } from './version-skip.ts';
import { webhookLeftover } from './webhook-leftover.ts';

/** All checks, in the order of docs/migration-checks.md. */
export const allChecks: readonly Check[] = [
  addressLegacy,
  addressBareIp,
  addressScheme,
  addressUnusable,
  addressWithoutPort,
  addressParts,
  addressLoopback,
  addressHost,
  addressTemplate,
  kubernetesSourceMissing,
  kubernetesSourceInexact,
  sourceTwice,
  sourceOrder,
  galleyAndKubernetes,
  subscribedResources,
  discoverySelectors,
  tlsIgnored,
  tlsPlaintext,
  tlsUnverified,
  tlsCaPath,
  trustDomainEmpty,
  meshConfigManaged,
  meshConfigElsewhere,
  revisionUnseen,
  registryRemoved,
  registriesEmpty,
  flagRemoved,
  configDirIgnored,
  variableRemoved,
  helmValueRemoved,
  messageLimitRaised,
  galleyLeftover,
  galleyDialsOut,
  galleyTls,
  webhookLeftover,
  mixerLeftover,
  mixerMeshField,
  collectionDropped,
  envoyFilterOld,
  fieldDropped,
  objectUnreadable,
  sameKey,
  autoAddresses,
  messageSize,
  versionSkip,
  targetLegacy,
  targetUnknown,
  targetTraits,
  bridgeFirst,
  alreadyMigrated,
  noConfigSources,
  nothingFound,
];
