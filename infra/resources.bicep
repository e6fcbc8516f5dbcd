// The function app with its storage (no keys), Azure SQL (no passwords), identity and roles.
param location string
param token string
param tags object
param sqlAdminObjectId string
param sqlAdminName string
param sqlAdminType string
param sqlMaxCores int
param sqlMinCores string
param alertEmail string
param monthlyBudget int
param budgetStart string
param maximumInstanceCount int
param instanceMemoryMB int
param alwaysReadyInstances int
param entraApiClientId string
param entraClientIds string
param corsAllowedOrigins string
param internalTenantIds string
param marketplaceTenantId string
param marketplaceClientId string
@secure()
param marketplaceClientSecret string
param marketplaceMeteringDimension string
param marketplaceOffers string
param publicUrl string
param landingClientId string
@secure()
param landingClientSecret string
param vendorName string
param vendorAddress string
param vendorContact string
param trialDays string
param trialUserLimit string

var packages = 'app-package'
var appName = 'func-${token}'

// Settings of the platform
var platformSettings = {
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identity.properties.clientId
  AzureWebJobsStorage__blobServiceUri: storage.properties.primaryEndpoints.blob
  AzureWebJobsStorage__tableServiceUri: storage.properties.primaryEndpoints.table
  APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.properties.clientId};Authorization=AAD'
  AZURE_CLIENT_ID: identity.properties.clientId
  PYTHON_THREADPOOL_THREAD_COUNT: '16'
}

// Settings of the app: all names of Settings, checked by a test
var appSettings = {
  DATABASE_URL: databaseUrl
  ENTRA_AUTHORITY: 'https://login.microsoftonline.com'
  ENTRA_API_CLIENT_ID: entraApiClientId
  ENTRA_CLIENT_IDS: entraClientIds
  ENTRA_KEYS_URL: ''
  PUBLIC_URL: empty(publicUrl) ? 'https://${appName}.azurewebsites.net' : publicUrl
  CORS_ALLOWED_ORIGINS: corsAllowedOrigins
  AZURE_DEVOPS_URL: 'https://dev.azure.com'
  ACTION_LOG_TABLE_ENDPOINT: storage.properties.primaryEndpoints.table
  MARKETPLACE_API_URL: 'https://marketplaceapi.microsoft.com/api'
  MARKETPLACE_TENANT_ID: marketplaceTenantId
  MARKETPLACE_CLIENT_ID: marketplaceClientId
  MARKETPLACE_CLIENT_SECRET: empty(marketplaceClientSecret) ? '' : '@Microsoft.KeyVault(VaultName=${vault.name};SecretName=marketplace-client-secret)'
  MARKETPLACE_METERING_DIMENSION: marketplaceMeteringDimension
  MARKETPLACE_OFFERS: marketplaceOffers
  LANDING_CLIENT_ID: landingClientId
  LANDING_CLIENT_SECRET: empty(landingClientSecret) ? '' : '@Microsoft.KeyVault(VaultName=${vault.name};SecretName=landing-client-secret)'
  VENDOR_NAME: vendorName
  VENDOR_ADDRESS: vendorAddress
  VENDOR_CONTACT: vendorContact
  INTERNAL_TENANT_IDS: internalTenantIds
  TRIAL_DAYS: trialDays
  TRIAL_USER_LIMIT: trialUserLimit
  MONTH_CLOSE_SCHEDULE: '0 5 * * * *'
  TRIAL_EXPIRY_SCHEDULE: '0 20 * * * *'
  FORGOTTEN_TIMER_SCHEDULE: '0 */5 * * * *'
  USAGE_SCHEDULE: '0 15 * * * *'
  RETENTION_SCHEDULE: '0 10 * * * *'
}

var databaseUrl = 'mssql+pyodbc://${sqlServer.properties.fullyQualifiedDomainName}/${database.name}?Encrypt=yes'

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'id-${token}'
  location: location
  tags: tags
}

resource storage 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: 'st${token}'
  location: location
  tags: tags
  sku: { name: 'Standard_ZRS' }
  kind: 'StorageV2'
  properties: {
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' = {
  parent: storage
  name: 'default'
}

resource packageContainer 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = {
  parent: blobs
  name: packages
}

// Secrets that managed identities cannot replace; settings only reference them
resource vault 'Microsoft.KeyVault/vaults@2023-07-01' = {
  name: 'kv-${token}'
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: true
    enableSoftDelete: true
    enablePurgeProtection: true
  }
}

resource marketplaceSecret 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = if (!empty(marketplaceClientSecret)) {
  parent: vault
  name: 'marketplace-client-secret'
  properties: { value: marketplaceClientSecret }
}

resource landingSecret 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = if (!empty(landingClientSecret)) {
  parent: vault
  name: 'landing-client-secret'
  properties: { value: landingClientSecret }
}

resource sqlServer 'Microsoft.Sql/servers@2021-11-01' = {
  name: 'sql-${token}'
  location: location
  tags: tags
  properties: {
    minimalTlsVersion: '1.2'
    publicNetworkAccess: 'Enabled'
    administrators: {
      administratorType: 'ActiveDirectory'
      azureADOnlyAuthentication: true
      principalType: sqlAdminType
      login: sqlAdminName
      sid: sqlAdminObjectId
      tenantId: tenant().tenantId
    }
  }
}

// From Azure's addresses only; Entra decides about access
resource fromAzure 'Microsoft.Sql/servers/firewallRules@2021-11-01' = {
  parent: sqlServer
  name: 'AllowAllWindowsAzureIps'
  properties: { startIpAddress: '0.0.0.0', endIpAddress: '0.0.0.0' }
}

resource database 'Microsoft.Sql/servers/databases@2021-11-01' = {
  parent: sqlServer
  name: 'timetracker'
  location: location
  tags: tags
  sku: { name: 'GP_S_Gen5', tier: 'GeneralPurpose', family: 'Gen5', capacity: sqlMaxCores }
  properties: {
    autoPauseDelay: -1
    minCapacity: json(sqlMinCores)
    collation: 'Latin1_General_100_BIN2_UTF8'
    requestedBackupStorageRedundancy: 'Geo'
    zoneRedundant: false
  }
}

resource backups 'Microsoft.Sql/servers/databases/backupShortTermRetentionPolicies@2021-11-01' = {
  parent: database
  name: 'default'
  properties: { retentionDays: 35 }
}

// Logins, and changes of tables and permissions, without statements and values
resource auditing 'Microsoft.Sql/servers/auditingSettings@2021-11-01' = {
  parent: sqlServer
  name: 'default'
  properties: {
    state: 'Enabled'
    isAzureMonitorTargetEnabled: true
    auditActionsAndGroups: [
      'SUCCESSFUL_DATABASE_AUTHENTICATION_GROUP'
      'FAILED_DATABASE_AUTHENTICATION_GROUP'
      'DATABASE_PERMISSION_CHANGE_GROUP'
      'DATABASE_ROLE_MEMBER_CHANGE_GROUP'
      'SCHEMA_OBJECT_CHANGE_GROUP'
    ]
  }
  dependsOn: [audited]
}

resource master 'Microsoft.Sql/servers/databases@2021-11-01' existing = {
  parent: sqlServer
  name: 'master'
}

resource audited 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: master
  name: 'audit'
  properties: {
    workspaceId: logs.id
    logs: [{ category: 'SQLSecurityAuditEvents', enabled: true }]
  }
}

resource databaseLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: database
  name: 'faults'
  properties: {
    workspaceId: logs.id
    logs: [
      { category: 'Errors', enabled: true }
      { category: 'Timeouts', enabled: true }
      { category: 'Blocks', enabled: true }
      { category: 'Deadlocks', enabled: true }
    ]
  }
}

resource vaultLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: vault
  name: 'audit'
  properties: {
    workspaceId: logs.id
    logs: [{ category: 'AuditEvent', enabled: true }]
  }
}

resource logs 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: 'log-${token}'
  location: location
  tags: tags
  properties: { sku: { name: 'PerGB2018' }, retentionInDays: 30 }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-${token}'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: logs.id
    DisableLocalAuth: true
    DisableIpMasking: false
  }
}

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: 'plan-${token}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { tier: 'FlexConsumption', name: 'FC1' }
  properties: { reserved: true }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: appName
  location: location
  tags: union(tags, { 'azd-service-name': 'api' })
  kind: 'functionapp,linux'
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identity.id}': {} } }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identity.id
    // No cors here: the app responds to preflights, with the headers that a browser may read
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      appSettings: [for setting in items(union(platformSettings, appSettings)): { name: setting.key, value: setting.value }]
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${storage.properties.primaryEndpoints.blob}${packages}'
          authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: identity.id }
        }
      }
      scaleAndConcurrency: {
        maximumInstanceCount: maximumInstanceCount
        instanceMemoryMB: instanceMemoryMB
        alwaysReady: alwaysReadyInstances > 0 ? [{ name: 'http', instanceCount: alwaysReadyInstances }] : []
        triggers: { http: { perInstanceConcurrency: 12 } }
      }
      runtime: { name: 'python', version: '3.13' }
    }
  }
  dependsOn: [packageContainer, blobRole, tableRole, metricsRole, vaultRole]
}

// No passwords for the deployment endpoints
resource ftp 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: app
  name: 'ftp'
  properties: { allow: false }
}

resource scm 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: app
  name: 'scm'
  properties: { allow: false }
}

// Locks of the host, status of schedules, and packages
resource blobRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(storage.id, identity.id, 'Storage Blob Data Owner')
  scope: storage
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b')
  }
}

// The action log
resource tableRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(storage.id, identity.id, 'Storage Table Data Contributor')
  scope: storage
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3')
  }
}

resource metricsRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(insights.id, identity.id, 'Monitoring Metrics Publisher')
  scope: insights
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '3913510d-42f4-4e42-8a64-420c390055eb')
  }
}

resource vaultRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, identity.id, 'Key Vault Secrets User')
  scope: vault
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '4633458b-17de-408a-b874-0445c86b69e6')
  }
}

module monitoring 'monitoring.bicep' = {
  name: 'monitoring'
  params: {
    location: location
    token: token
    tags: tags
    workspaceName: logs.name
    databaseId: database.id
    alertEmail: alertEmail
    monthlyBudget: monthlyBudget
    budgetStart: budgetStart
  }
}

output functionAppName string = app.name
output functionAppUrl string = 'https://${app.properties.defaultHostName}'
output databaseUrl string = databaseUrl
output identityName string = identity.name
output identityClientId string = identity.properties.clientId
output sqlServer string = sqlServer.name
output sqlDatabase string = database.name
