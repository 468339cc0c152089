"""Fields of the Kubernetes v1 Pod (1.36) that are not supported yet, and are refused as such."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ROOT = frozenset({"status"})
METADATA = _words(
    "creationTimestamp deletionGracePeriodSeconds deletionTimestamp finalizers generateName generation managedFields"
    " ownerReferences resourceVersion selfLink uid"
)
SPEC = _words(
    "affinity automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks"
    " ephemeralContainers hostAliases hostIPC hostNetwork hostPID hostUsers hostnameOverride imagePullSecrets"
    " nodeName nodeSelector os overhead preemptionPolicy priority priorityClassName readinessGates"
    " resourceClaims resources runtimeClassName schedulerName schedulingGates schedulingGroup securityContext"
    " serviceAccount serviceAccountName setHostnameAsFQDN subdomain tolerations topologySpreadConstraints"
    " workloadRef"
)
CONTAINER = _words(
    "envFrom resizePolicy restartPolicyRules securityContext stdin stdinOnce tty volumeDevices"
)
LIFECYCLE = frozenset({"stopSignal"})
RESOURCES = frozenset({"claims"})
ENV = frozenset({"valueFrom"})
MOUNT = frozenset({"mountPropagation", "recursiveReadOnly", "subPath", "subPathExpr"})
VOLUME = _words(
    "awsElasticBlockStore azureDisk azureFile cephfs cinder configMap csi downwardAPI ephemeral fc flexVolume flocker"
    " gcePersistentDisk gitRepo glusterfs image iscsi nfs persistentVolumeClaim photonPersistentDisk portworxVolume"
    " projected quobyte rbd scaleIO secret storageos vsphereVolume"
)

RESOURCE_NAMES = frozenset({"ephemeral-storage", "storage"})
"""Beside ``cpu`` and ``memory``, which are supported; ``hugepages-*`` and names with a domain exist too."""

EMPTY_SAYS_NOTHING = frozenset({"status", "resources", "securityContext", "nodeSelector", "affinity"})
"""Those that may stand there with nothing in them."""
